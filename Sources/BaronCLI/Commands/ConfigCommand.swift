import ArgumentParser
import Formats
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
      let width = Preset.all.map(\.name.count).max() ?? 0
      for preset in Preset.all {
        let comment = preset.text.split(separator: "\n")
          .prefix { $0.hasPrefix("#") }.map { $0.dropFirst().trimmingPrefix(" ") }
          .joined(separator: " ")
        let sentence = comment.split(separator: ". ").first.map(String.init) ?? ""
        let gap = String(repeating: " ", count: width - preset.name.count + 2)
        try Console.print(preset.name + gap + sentence)
      }
    }
  }

  /// `baron config show`.
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print a configuration with every value, as a run stores it.",
      discussion: "Example: baron config show ov-coco-fpn-kd --set training.seed=3 > mine.yaml")

    @Argument(help: "A preset or a YAML file.", completion: Completions.configurations)
    var config: String

    @Option(
      name: .customLong("set"),
      help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
    var overrides: [String] = []

    @Flag(help: "Print a preset's own text with its comments instead.")
    var source = false

    @Option(
      help: ArgumentHelp(
        "What a file is for; a preset knows it.",
        valueName: Preset.Kind.allCases.map(\.rawValue).joined(separator: "|")))
    var kind: String?

    func validate() throws {
      guard !source || overrides.isEmpty else {
        throw ValidationError("--source prints the text as it is: leave out --set")
      }
      guard kind.map({ Preset.Kind(rawValue: $0) != nil }) ?? true else {
        throw ValidationError(
          "--kind takes \(Preset.Kind.allCases.map(\.rawValue).joined(separator: ", "))")
      }
    }

    func run() throws {
      if source {
        try Console.print(try Preset.named(config).text, terminator: "")
        return
      }
      let preset = Preset.all.first { $0.name == config }
      let text =
        switch preset?.kind ?? kind.flatMap(Preset.Kind.init(rawValue:)) ?? .train {
        case .train: try RunConfiguration.load(config, overrides: overrides).yaml()
        case .clip: try CLIPTrainingConfiguration.load(config, overrides: overrides).yaml()
        case .demo: try DemoConfiguration.load(config, overrides: overrides).yaml()
        }
      try Console.print(text, terminator: "")
    }
  }
}
