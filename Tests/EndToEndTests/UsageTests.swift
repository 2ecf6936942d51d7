import Foundation
import TestSupport
import Testing

@testable import BaronCLI

/// Wrong usage is told as everything else that is wrong: one line with the remedy.
@Suite(
  "Wrong usage",
  .enabled(if: BaronProcess.path != nil, "the program beside the tests is missing"))
struct UsageTests {
  @Test(arguments: [
    (
      ["train", "mine.yaml", "--nonsense"], "Unknown option '--nonsense'; see 'baron train --help'"
    ),
    (
      ["world", "x"],
      "Missing expected argument '--images <images>' (The number of pictures); see 'baron world --help'"
    ),
    (
      ["world", "x", "--images", "many", "--seed", "1"],
      "The value 'many' is invalid for '--images <images>' (The number of pictures); "
        + "see 'baron world --help'"
    ),
    (["compare", "a"], "give two runs or more to compare; see 'baron compare --help'"),
    (["train", "x", "--score-treshold", "1"], "Unknown option '--score-treshold'"),
    (
      ["trian"],
      "Unexpected argument 'trian'; there is no command \"trian\"; did you mean \"train\"?"
    ),
  ])
  func oneLine(words: [String], wanted: String) throws {
    let result = try BaronProcess(words).finish()
    #expect(result.status == 64 && result.output.isEmpty)
    #expect(result.errors.hasPrefix("error: \(wanted)"), "\(result.errors)")
    #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    #expect(result.errors.count <= 501)
  }

  @Test func helpIsNoError() throws {
    for words in [["--help"], ["train", "--help"], []] {
      let result = try BaronProcess(words).finish()
      #expect(result.status == 0 && result.errors.isEmpty)
      #expect(result.output.contains("OVERVIEW: ") && result.output.contains("USAGE: "))
    }
  }

  @Test func partsOfAMessageAreJoined() {
    let message = """
      Error: Unknown option '--conf'. Did you mean '--config'?
      Usage: baron detect [<options>] <images> ...
        See 'baron detect --help' for more information.
      """
    #expect(
      UsageLine.of(message, hint: nil)
        == "Unknown option '--conf'. Did you mean '--config'?; see 'baron detect --help'")
    #expect(
      UsageLine.of(message, hint: "instead of --conf: --score-threshold NUMBER")
        == "Unknown option '--conf'; instead of --conf: --score-threshold NUMBER; "
        + "see 'baron detect --help'")
    #expect(UsageLine.of("Error: two\nlines.", hint: nil) == "two lines")
  }
}
