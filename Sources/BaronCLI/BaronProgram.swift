import ArgumentParser
import Distribution
import Formats
import Foundation

/// The program: it holds the commands and turns errors into one line and an exit code.
@main
struct BaronProgram: ParsableCommand {
  /// Version and commit.
  static let version = "0.1.0 (\(builtCommit))"

  static let configuration = CommandConfiguration(
    commandName: "baron",
    abstract: "Train, run and score BARON, an open-vocabulary object detector, on OpenCL devices.",
    discussion: """
      Exit codes: 0 done, 1 failed, 64 wrong usage, 75 failed with several processes and worth a \
      new start, 130 interrupted after saving. Errors go to standard error.
      """, version: version,
    subcommands: [
      DevicesCommand.self, DemoCommand.self, WorldCommand.self, InitCommand.self,
      CheckCommand.self, ConfigCommand.self, TrainCommand.self, RanksCommand.self,
      CLIPTrainCommand.self,
      EvaluateCommand.self, ReportCommand.self, CompareCommand.self, DetectCommand.self,
      ExportCommand.self, ServeCommand.self, SelftestCommand.self,
      ProfileCommand.self, WarmupCommand.self, TuneCommand.self, BenchCommand.self,
      GPUCheckCommand.self, InspectCommand.self, ConvertCommand.self, EmbedCommand.self,
      SplitCommand.self, ConvertDataCommand.self, BenchAnnotationsCommand.self,
      BenchEvaluationCommand.self, CompileProgramsCommand.self, TryVariantsCommand.self,
    ])

  /// Runs the command that the arguments name.
  static func main() {
    Console.prepare()
    StopSignals.watch()
    SilenceWatch.start()
    do {
      var command = try parseAsRoot()
      let launch = Launch(environment: ProcessInfo.processInfo.environment)
      guard try RankPart(of: command).isTaken(by: command, in: launch) else { return }
      try command.run()
    } catch {
      end(error)
    }
  }

  /// What the parser said, with what may have been meant.
  private static func explained(_ text: String) -> String {
    let known = configuration.subcommands.compactMap { $0.configuration.commandName }
    let hint = UsageHint.line(
      Array(CommandLine.arguments.dropFirst()), known: known + ["help"], message: text)
    return UsageLine.of(text, hint: hint)
  }

  private static func end(_ error: any Error) -> Never {
    // The reader of a pipe has seen enough.
    if let error = error as? Console.WriteError, error.isClosedPipe {
      Foundation.exit(128 + SIGPIPE)
    }
    let code = exitCode(for: error)
    // Help and wrong usage are the parser's business.
    if error is ExitCode || code != .failure {
      let text = fullMessage(for: error)
      if !code.isSuccess {
        if !text.isEmpty { Console.fail(explained(text)) }
      } else {
        do { try Console.print(text) } catch { end(error) }
      }
    } else {
      Console.fail(error is CocoaError ? error.localizedDescription : "\(error)")
    }
    Foundation.exit(code.rawValue)
  }
}
