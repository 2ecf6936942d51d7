import ArgumentParser
import Formats
import Foundation
import Reporting
import RunReports

/// `baron compare`: runs side by side.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Show what runs were told differently, beside their scores.",
    discussion: """
      Example: baron compare runs/first runs/second -o compare.html

      The first table has the scores of each run's last evaluation, and the best where it was \
      earlier; the second the keys of the configurations that differ. The page has the curves of \
      scores and losses over one another.
      """)

  @Argument(help: ArgumentHelp("Names or folders of two runs or more.", valueName: "run"))
  var runs: [String]

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp("Also write a page with curves.", valueName: "file.html"))
  var output: String?

  @Flag(help: "Print JSON with every evaluation instead of tables.")
  var json = false

  func validate() throws {
    guard runs.count > 1 else { throw ValidationError("give two runs or more to compare") }
  }

  func run() throws {
    let comparison = RunComparison(try runs.map { try RunSource($0) })
    if let output { try AtomicFile.write(Data(comparison.html().utf8), to: output) }
    if json {
      try Console.print(comparison.json.text(pretty: true))
    } else {
      try Console.print(
        comparison.text(style: TerminalStyle.detect(descriptor: 1)), terminator: "")
    }
    if let output { Console.say("curves: \(output)") }
  }
}
