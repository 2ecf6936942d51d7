import Testing

@testable import Reporting

@Suite struct TerminalTableTests {
  private func table() -> TerminalTable {
    var table = TerminalTable([.number("id"), .text("class name"), .number("AP50")])
    table.add(["1", "a rather long class name", "34.00"])
    table.addRule()
    table.add(["12", "杯子"])
    return table
  }

  @Test func plainTextIsASCIIAndComplete() {
    #expect(
      table().text(style: .plain) == """
        id  class name                 AP50
        --  ------------------------  -----
         1  a rather long class name  34.00
        --  ------------------------  -----
        12  杯子

        """)
  }

  @Test func terminalTextFitsTheWindow() {
    let style = TerminalStyle(isTerminal: true, width: 25, usesColor: false)
    #expect(
      table().text(style: style) == """
        id  class name       AP50
        ──  ──────────────  ─────
         1  a rather long…  34.00
        ──  ──────────────  ─────
        12  杯子

        """)
  }

  @Test func numbersAreNeverCut() {
    let style = TerminalStyle(isTerminal: true, width: 5, usesColor: false)
    let lines = table().text(style: style).split(separator: "\n")
    #expect(lines[2] == " 1  a rathe…  34.00")
  }

  /// A name out of a file may be a page long; the table stays one.
  @Test(.timeLimit(.minutes(1)), arguments: [500, 1_000_000])
  func aNameOfManyCharactersIsCutEverywhere(length: Int) {
    let name = String(repeating: "long name ", count: length / 10)
    var table = TerminalTable([.number("id"), .name("class"), .number("AP50")])
    table.add(["1", name, "34.00"])
    table.add(["2", String(repeating: "猫", count: length), "1.00"])
    let wide = TerminalStyle(isTerminal: true, width: 2 * length + 100, usesColor: false)
    for style in [TerminalStyle.plain, wide] {
      let lines = table.text(style: style).split(separator: "\n").map(String.init)
      #expect(lines.count == 4 && lines.allSatisfy { $0.columns <= 2 + 2 + 40 + 2 + 5 })
      #expect(lines[2].hasPrefix(" 1  long name long name") && lines[2].hasSuffix("34.00"))
    }
  }

  @Test func aTableWithoutRowsIsItsHeading() {
    #expect(TerminalTable([.text("a"), .number("b")]).text(style: .plain) == "a  b\n-  -\n")
  }

  @Test func widthCountsColumnsOfTheTerminal() {
    #expect("杯子".columns == 4)
    #expect("e\u{301}".columns == 1)
    #expect("abcdef".shortened(to: 4, mark: "...") == "a...")
    #expect("abcdef".shortened(to: 2, mark: "...") == "..")
    #expect("abc".shortened(to: 3, mark: "...") == "abc")
  }

  @Test func aFileIsPlain() {
    // Descriptor -1 is no terminal.
    #expect(TerminalStyle.detect(descriptor: -1, environment: [:]) == .plain)
  }

  @Test func theEnvironmentDecidesOnColour() {
    let terminal = TerminalStyle.terminal(width: nil, environment: ["NO_COLOR": ""])
    #expect(terminal == TerminalStyle(isTerminal: true, width: 80, usesColor: true))
    #expect(!TerminalStyle.terminal(width: 91, environment: ["NO_COLOR": "1"]).usesColor)
    #expect(TerminalStyle.terminal(width: 91, environment: ["TERM": "dumb"]) == .plain)
  }
}
