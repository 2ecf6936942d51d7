import ArgumentParser
import Training

/// `baron config`: what presets there are and what a configuration amounts to.
struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "List presets; show a configuration with every value.",
    subcommands: [List.self, Show.self])

  /// `baron config list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the presets with the first sentence of each.")

    func run() throws {
      let names = RunConfiguration.presetNames
      let width = names.map(\.count).max() ?? 0
      for name in names {
        let comment = try RunConfiguration.presetText(name).split(separator: "\n")
          .prefix { $0.hasPrefix("#") }.map { $0.dropFirst().trimmingPrefix(" ") }
          .joined(separator: " ")
        let sentence = comment.split(separator: ". ").first.map(String.init) ?? ""
        let gap = String(repeating: " ", count: width - name.count + 2)
        print(name + gap + sentence)
      }
    }
  }

  /// `baron config show`.
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print a configuration with every value, as a run stores it.",
      discussion: "Example: baron config show ov-coco-fpn-kd --set training.seed=3 > mine.yaml")

    @Argument(help: "A preset or a YAML file.")
    var config: String

    @Option(
      name: .customLong("set"),
      help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
    var overrides: [String] = []

    @Flag(help: "Print a preset's own text with its comments instead.")
    var source = false

    func validate() throws {
      guard !source || overrides.isEmpty else {
        throw ValidationError("--source prints the text as it is: leave out --set")
      }
    }

    func run() throws {
      if source {
        print(try RunConfiguration.presetText(config), terminator: "")
      } else {
        print(try RunConfiguration.load(config, overrides: overrides).yaml(), terminator: "")
      }
    }
  }
}
