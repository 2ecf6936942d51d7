import ArgumentParser

/// The command line.
struct BaronCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "baron", abstract: "Open-vocabulary detection.", subcommands: [BenchCommand.self])
}

BaronCommand.main()
