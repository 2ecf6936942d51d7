import Formats
import Testing

/// Names from files on a terminal.
struct PrintedTextTests {
  @Test(arguments: [
    ("plain name", "plain name"),
    ("\u{1B}[2J\u{1B}]0;owned\u{07}", "\\u{1B}[2J\\u{1B}]0;owned\\u{7}"),
    ("two\nlines\r\n\tmore", "two\\nlines\\r\\n\\tmore"),
    ("abc\u{202E}gnp.exe\u{2066}x", "abc\\u{202E}gnp.exe\\u{2066}x"),
    ("C1 \u{9B}31m, delete \u{7F}, mark \u{FEFF}", "C1 \\u{9B}31m, delete \\u{7F}, mark \\u{FEFF}"),
    ("line\u{2028}paragraph\u{2029}", "line\\u{2028}paragraph\\u{2029}"),
    ("nul\u{0}", "nul\\u{0}"),
    ("\u{E0041}tag", "\\u{E0041}tag"),
  ])
  func hiddenCharactersShow(text: String, shown: String) {
    #expect(PrintedText.escaped(text) == shown)
  }

  /// What languages and emoji are written with stays.
  @Test(arguments: [
    "\u{C4}rmel caf\u{E9} \u{732B} \u{BC15}\u{C2A4}",
    "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}",
    "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}",
    "e\u{301}", "a\u{A0}b",
  ])
  func writingStays(text: String) {
    #expect(PrintedText.escaped(text) == text)
  }

  @Test func tablesKeepTheirLines() {
    #expect(PrintedText.escapedLines("a\tb\nc\n") == "a\tb\nc\n")
    #expect(PrintedText.escapedLines("a\t\u{1B}b\n\r\n") == "a\t\\u{1B}b\n\\r\n")
  }

  @Test func longLinesKeepBothEnds() {
    let text = "a.json: " + String(repeating: "ab ", count: 33_000) + "; copy it again"
    let line = PrintedText.line(text)
    #expect(line.unicodeScalars.count == 500)
    #expect(line.hasPrefix("a.json: ab ab") && line.hasSuffix("; copy it again"))
    #expect(line.contains(" \u{2026} "))
    #expect(PrintedText.line(String(repeating: "y", count: 500)).count == 500)
    #expect(PrintedText.line(String(repeating: "\n", count: 400)).unicodeScalars.count == 500)
    // A pile of combining marks is one character of any length.
    let pile = "e" + String(repeating: "\u{301}", count: 10_000)
    #expect(PrintedText.line(pile).unicodeScalars.count == 500)
  }
}
