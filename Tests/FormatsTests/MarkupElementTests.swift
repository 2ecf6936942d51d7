import Formats
import Testing

@Suite struct MarkupElementTests {
  private func parse(_ text: String) throws -> MarkupElement {
    try MarkupElement(parsing: text, source: "text")
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
