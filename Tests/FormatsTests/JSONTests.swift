import Formats
import Foundation
import TestSupport
import Testing

@Suite("JSON")
struct JSONTests {
  private func parse(_ text: String) throws -> JSONValue {
    try JSONValue(parsing: text, source: "x.json")
  }

  @Test func allKindsAreRead() throws {
    let value = try parse(" {\"a\": [1, -2.5, 1e3, true, false, null], \"b\": {\"c\": \"d\"}}\n")
    #expect(value["a"] == [1, -2.5, 1000, true, false, .null])
    #expect(value["b"]?["c"]?.string == "d")
    #expect(value["z"] == nil)
    #expect(try parse("[]").array?.isEmpty == true)
    #expect(try parse("{}").object?.isEmpty == true)
    #expect(try parse("\u{FEFF}1") == 1)
  }

  @Test(arguments: [
    ("0", 0), ("-0", 0), ("1E-2", 0.01), ("123456789012345683968", 0x1.ac53a7e04bcdap66),
    ("0.1", 0.1), ("9007199254740993", 9_007_199_254_740_992), ("5e-324", .leastNonzeroMagnitude),
    ("179769313486231570000e288", 1.7976931348623157e308), ("0.30000000000000004", 0.1 + 0.2),
  ])
  func numbersAreTheNearestDoubles(text: String, value: Double) throws {
    #expect(try parse(text).number == value)
  }

  @Test(arguments: [
    (#""\u00e9\n\"\\\/""#, "é\n\"\\/"), (#""\ud83d\ude00""#, "😀"), (#""\ud83dx""#, "\u{FFFD}x"),
    (#""\ude00""#, "\u{FFFD}"), ("\"ü猫\"", "ü猫"), (#""a\tb""#, "a\tb"), (#""\u0000""#, "\u{0}"),
  ])
  func escapesAreResolved(text: String, value: String) throws {
    #expect(try parse(text).string == value)
  }

  @Test(arguments: [
    "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{a:1}",
    "{\"a\" 1}", "[1 2]", "01", "1.", ".5", "-", "+1", "1e", "1e+", "1e999", "NaN", "Infinity",
    "tru", "nul", "falsy", "\"a", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "1 2", "[] ]",
    "{\"a\":1,\"a\":2}", "'a'", "\"\\",
  ])
  func brokenTextsAreRefusedWithTheirPlace(text: String) throws {
    let error = #expect(throws: FormatError.self) { try parse(text) }
    #expect(error?.place.hasPrefix("line ") == true)
    #expect(error?.source == "x.json")
  }

  @Test func depthIsBounded() throws {
    let deep = String(repeating: "[", count: 100_000)
    #expect(try message { try parse(deep) }.contains("nested deeper than 512"))
    let allowed = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
    #expect(try parse(allowed).array?.count == 1)
  }

  @Test func invalidUTF8IsRefused() throws {
    let scratch = try Scratch()
    let path = try scratch.write([0x22, 0xFF, 0x22], "x.json")
    #expect(try message { try JSONValue(contentsOf: path) }.contains("not valid UTF-8"))
    let empty = try scratch.write([], "x.json")
    #expect(try message { try JSONValue(contentsOf: empty) }.contains("the text ends"))
    #expect(try message { try JSONValue(contentsOf: path + "x") }.contains("no such file"))
    #expect(try message { try JSONValue(contentsOf: scratch.folder) }.contains("regular file"))
  }

  @Test func thePlaceOfAnErrorIsTheLineAndColumn() throws {
    #expect(try message { try parse("{\n  \"a\": x}") }.hasPrefix("x.json: line 2, column 8: "))
  }

  @Test func typedReadsRefuseOtherKinds() throws {
    func scanner(_ text: String) -> JSONScanner { JSONScanner(text: text, source: "x") }
    #expect(
      try message {
        var other = scanner("1.5")
        return try other.integer()
      }.contains("whole number"))
    #expect(
      try message {
        var other = scanner("\"1\"")
        return try other.number()
      }.contains("found string"))
    #expect(
      try message {
        var other = scanner("1")
        return try other.bool()
      }.contains("found number"))
    #expect(
      try message {
        var other = scanner("[]")
        try other.beginObject()
      }.contains("expected an object"))
  }

  @Test func skippingLeavesTheNextMember() throws {
    var scanner = JSONScanner(
      text: #"{"skip": {"a": [1, {"b": null}]}, "keep": 7}"#, source: "x")
    try scanner.beginObject()
    #expect(try scanner.nextKey() == "skip")
    try scanner.skipValue()
    #expect(try scanner.nextKey() == "keep")
    #expect(try scanner.integer() == 7)
    #expect(try scanner.nextKey() == nil)
    try scanner.end()
  }

  @Test func whatIsWrittenIsReadBack() throws {
    let value: JSONValue = [
      "text": "a\"\\\n\u{1}ü", "numbers": [0.1, -3, 1e300, 2.5e-300, 9_007_199_254_740_991],
      "flags": [true, false, .null], "empty": [[], [:]],
    ]
    #expect(try parse(value.text()) == value)
    #expect(try parse(value.text(pretty: true)) == value)
    #expect(JSONValue.number(.nan).text() == "null")
    #expect(JSONValue.object(["b": 1, "a": 2.5]).text() == #"{"a":2.5,"b":1}"#)
  }
}
