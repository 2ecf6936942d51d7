import ArgumentParser
import Formats
import Foundation

/// The program: it holds the commands and turns errors into one line and an exit code.
@main
struct BaronProgram: ParsableCommand {
  private static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "baron",
    abstract: "Train, run and score BARON, an open-vocabulary object detector, on OpenCL devices.",
    discussion: """
      Exit codes: 0 done, 1 failed, 64 wrong usage, 130 interrupted after saving. Errors go to \
      standard error.
      """, version: "\(version) (\(builtCommit))",
    subcommands: [
      DevicesCommand.self, DemoCommand.self, WorldCommand.self, ConfigCommand.self,
      TrainCommand.self,
      CLIPTrainCommand.self, EvaluateCommand.self, DetectCommand.self, SelftestCommand.self,
      ProfileCommand.self, WarmupCommand.self, TuneCommand.self, BenchCommand.self, Export.self,
      GPUCheckCommand.self, InspectCommand.self, ConvertCommand.self, EmbedCommand.self,
      SplitCommand.self, ConvertDataCommand.self, BenchAnnotationsCommand.self,
      BenchEvaluationCommand.self, CompileProgramsCommand.self,
    ])

  /// Runs the command that the arguments name.
  static func main() {
    Console.prepare()
    StopSignals.watch()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      end(error)
    }
  }

  private static func end(_ error: any Error) -> Never {
    // The reader of a pipe has seen enough.
    if let error = error as? Console.WriteError, error.isClosedPipe {
      Foundation.exit(128 + SIGPIPE)
    }
    let code = exitCode(for: error)
    // Help and wrong usage are the parser's business; a failed run gets no usage text.
    if error is ExitCode || code != .failure {
      let text = fullMessage(for: error)
      if !code.isSuccess {
        if !text.isEmpty { Console.say(text) }
      } else {
        do { try Console.print(text) } catch { end(error) }
      }
    } else {
      Console.fail(error is CocoaError ? error.localizedDescription : "\(error)")
    }
    Foundation.exit(code.rawValue)
  }
}
