import Formats
import Testing

@Suite struct MarkupElementTests {
  private func parse(_ text: String) throws -> MarkupElement {
    try parse(Array(text.utf8))
  }

  private func parse(_ bytes: [UInt8]) throws -> MarkupElement {
    try bytes.withUnsafeBytes { try MarkupElement(parsing: $0, source: "text") }
  }

  @Test(arguments: [
    ("GBK", [0xC8, 0xCB, 0xB9, 0xB7] as [UInt8], "人狗"), ("gb2312", [0xC8, 0xCB], "人"),
    ("Shift_JIS", [0x94, 0x4C], "猫"), ("ISO-8859-1", [0xE4], "ä"),
    ("windows-1251", [0xEA, 0xEE, 0xF2], "кот"), ("UTF-8", [0xC3, 0xA4], "ä"),
    ("utf8", [0xC3, 0xA4], "ä"),
  ])
  func theEncodingOfTheFirstLineCounts(name: String, bytes: [UInt8], text: String) throws {
    for quote in ["\"", "'"] {
      let head = "<?xml version=\"1.0\" encoding=\(quote)\(name)\(quote)?>\n<a>"
      #expect(try parse(Array(head.utf8) + bytes + Array("</a>".utf8)).text == text)
    }
  }

  @Test func aByteOrderMarkNamesTheEncoding() throws {
    let text = "<?xml version=\"1.0\" encoding=\"utf-16\"?><a>ä猫</a>"
    let little = text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
    let big = text.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    #expect(try parse([0xFF, 0xFE] + little).text == "ä猫")
    #expect(try parse([0xFE, 0xFF] + big).text == "ä猫")
  }

  @Test func otherEncodingsAreRefusedNotGuessed() throws {
    let chinese: [UInt8] = [0xC8, 0xCB]
    func reason(_ head: String) throws -> String {
      try message { try parse(Array("\(head)\n<a>".utf8) + chinese + Array("</a>".utf8)) }
    }
    for head in ["", "<?xml version=\"1.0\"?>", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"] {
      #expect(try reason(head).hasPrefix("text: line 2: is no UTF-8 text; name its encoding"))
    }
    #expect(
      try reason("<?xml version=\"1.0\" encoding=\"klingon\"?>").contains(
        "said to be \"klingon\", which this system cannot read; convert it to UTF-8"))
    #expect(
      try reason("<?xml version=\"1.0\" encoding=\"ASCII\"?>").contains("is no ASCII text here"))
  }

  private func message(_ body: () throws -> MarkupElement) throws -> String {
    let error = #expect(throws: FormatError.self) { try body() }
    return try #require(error).description
  }

  @Test func elementsAndTextAreRead() throws {
    let root = try parse(
      """
      \u{FEFF}<?xml version="1.0"?><!DOCTYPE a [<!ELEMENT a ANY>]><!-- <x> -->
      <a b="1>2" c='/'>
        one &lt;&amp;&#65;&#x42; <b/> two
        <c>ä</c><c d="e"/><![CDATA[<&>]]>
      </a>
      <!-- after -->
      """)
    #expect(root.name == "a" && root.children.map(\.name) == ["b", "c", "c"])
    #expect(root.child("c")?.text == "ä" && root.child("d") == nil)
    #expect(root.text.hasPrefix("one <&AB") && root.text.hasSuffix("<&>"))
  }

  @Test(arguments: [
    ("", "line 1: the text ends"), ("<a>", "the text ends"), ("<a", "the text ends"),
    ("<a>\n<b></a>", "line 2: the end of an element \"a\""), ("</a>", "\"a\" that is not open"),
    ("<a/><b/>", "a second element"), ("x<a/>", "text outside"), ("<a>&x;</a>", "'&x;'"),
    ("<a>&</a>", "without ';'"), ("<></>", "without a name"), ("<a <b>", "inside a tag"),
    ("<a>&#55296;</a>", "'&#55296;'"), ("<!DOCTYPE a", "the text ends"),
    ("<a><!--", "the text ends"),
    ("<a><![CDATA[x", "the text ends"), ("<![CDATA[x]]>", "the text ends"),
  ])
  func malformedTextsGiveTheLine(text: String, part: String) throws {
    let error = #expect(throws: FormatError.self) { try parse(text) }
    #expect(try #require(error).description.contains(part))
  }

  @Test func deepNestingIsRefused() throws {
    let deep = String(repeating: "<a>", count: 300)
    let error = #expect(throws: FormatError.self) { try parse(deep) }
    #expect(try #require(error).description.contains("nested deeper"))
  }
}
