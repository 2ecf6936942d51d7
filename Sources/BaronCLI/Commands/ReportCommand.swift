import ArgumentParser
import Formats
import Foundation
import RunReports

/// `baron report`: renews the report of a run.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Write what a run has learnt and where it is wrong as HTML.",
    discussion: """
      Example: baron report runs/first

      The report is one file that needs no network: scores and losses over the iterations, precision \
      and recall, errors by kind with what each costs, confusions, the worst pictures, classes, \
      machine and configuration. Training renews report.html in the run's folder at every \
      evaluation; this command does so again, after 'baron profile CONFIG --json RUN/profile.json' \
      with a table of kernels. No device is needed.
      """)

  @Argument(help: ArgumentHelp("The run's name or folder.", valueName: "run"))
  var name: String

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp(
      "Where the report goes; default: report.html in the run's folder.", valueName: "file.html"))
  var output: String?

  func run() throws {
    let report = RunReport(try RunSource(name), warn: Console.warn)
    try Console.print(try report.write(to: output))
  }
}
