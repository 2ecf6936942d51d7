import ArgumentParser
import Distribution

/// What a command does when a launcher has started it as several processes.
enum RankPart: Equatable {
  /// All do it together.
  case together
  /// Rank 0 does it for all, and the others end well.
  case first
  /// Each does it for itself: it is about the machine that it runs on.
  case each
  /// It is refused: copies would do the same work, and write over each other.
  case alone

  /// The part of a command.
  ///
  /// - Parameter command: As it was parsed.
  init(of command: any ParsableCommand) {
    switch command {
    case is TrainCommand, is RanksCommand: self = .together
    case is CheckCommand, is ConfigCommand.List, is ConfigCommand.Show, is ConfigCommand.Explain:
      self = .first
    case is DevicesCommand, is SelftestCommand, is GPUCheckCommand, is WarmupCommand,
      is CompileProgramsCommand, is TryVariantsCommand:
      self = .each
    // The parser has commands of its own, which give help.
    default: self = Self.isOurs(type(of: command), below: BaronProgram.self) ? .alone : .each
    }
  }

  private static func isOurs(
    _ command: any ParsableCommand.Type, below parent: any ParsableCommand.Type
  ) -> Bool {
    parent.configuration.subcommands.contains { $0 == command || isOurs(command, below: $0) }
  }

  /// Whether this process does the command.
  ///
  /// - Parameters:
  ///   - command: The command.
  ///   - launch: What started this process as one of several; nil alone.
  /// - Throws: ``SeveralProcesses`` on rank 0, where all others end well: a launcher kills the rest
  ///   when the first one ends with an error.
  func isTaken(by command: any ParsableCommand, in launch: Launch?) throws -> Bool {
    guard let launch else { return true }
    switch self {
    case .together, .each: return true
    case .first: return launch.rank == 0
    case .alone:
      guard launch.rank == 0 else { return false }
      throw SeveralProcesses(command: type(of: command)._commandName, launch: launch)
    }
  }

  /// A command that is for one process was started as several.
  struct SeveralProcesses: Error, CustomStringConvertible {
    let command: String
    let launch: Launch

    var description: String {
      let unset = launch.marks.map { "-u \($0)" }.joined(separator: " ")
      return "\(command) runs on one process, but \(launch.launcher.words) started \(launch.size); "
        + "start one, with -n 1 or without a launcher, or separate copies with env \(unset) baron "
        + command
    }
  }
}
