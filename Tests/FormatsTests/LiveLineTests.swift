import Testing

@testable import Formats

@Suite("Lines that are written over")
struct LiveLineTests {
  private func clearing(
    _ columns: Int, _ width: Int?, _ environment: [String: String] = ["TERM": "xterm-256color"]
  ) -> String {
    LiveLine.clearing(columns: columns, width: width, environment: environment)
  }

  @Test func rowsOfABrokenLineAreCleared() {
    let one = "\r\u{1B}[K"
    #expect(clearing(60, 60) == one && clearing(60, nil) == one && clearing(60, 0) == one)
    #expect(clearing(61, 60) == "\r\u{1B}[1A\u{1B}[J")
    #expect(clearing(120, 60) == "\r\u{1B}[1A\u{1B}[J")
    #expect(clearing(159, 60) == "\r\u{1B}[2A\u{1B}[J")
  }

  /// Where a line is cut off instead of broken, what stands above is something else.
  @Test(arguments: [
    ["TERM": "linux"], ["TERM": "screen-256color"],
    ["TERM": "xterm-256color", "XTERM_VERSION": "XTerm(390)"],
  ])
  func otherRowsStay(environment: [String: String]) {
    #expect(clearing(159, 60, environment) == "\r\u{1B}[K")
    #expect(clearing(159, 60, environment.merging(["TMUX": "x"]) { $1 }).hasSuffix("[J"))
  }

  @Test func wideLettersTakeTwoColumns() {
    #expect("a猫é".columns == 4 && "".columns == 0)
    #expect(LiveLine.width(of: -1) == nil)
  }
}
