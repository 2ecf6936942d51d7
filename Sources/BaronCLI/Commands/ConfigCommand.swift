import ArgumentParser
import Distribution
import Formats
import Foundation
import Training

/// `baron config`: what presets there are and what a configuration amounts to.
struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "List presets; show a configuration with every value; explain keys.",
    subcommands: [List.self, Show.self, Explain.self])

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
        case .train:
          try Self.text(of: RunConfiguration.load(config, overrides: overrides))
        case .clip: try CLIPTrainingConfiguration.load(config, overrides: overrides).yaml()
        case .demo: try DemoConfiguration.load(config, overrides: overrides).yaml()
        }
      try Console.print(text, terminator: "")
    }

    /// The values, below what a step has of them; a comment, so that the text stays a configuration.
    private static func text(of configuration: RunConfiguration) throws -> String {
      let launch = Launch(environment: ProcessInfo.processInfo.environment)
      // A training that would not start has no processes.
      try launch?.checkInterface()
      let step = try configuration.stepSummary(processes: launch?.size ?? 1)
      return "# \(step)\n" + configuration.yaml()
    }
  }

  /// `baron config explain`.
  struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Tell what a key does, what it may be, and which presets change it.",
      discussion: """
        Example: baron config explain optimizer.rate

        A section, such as alignment.sampling, stands for all of its keys, and a last part, such as \
        rate, for all keys that end so. Without a key all are listed.
        """)

    @Argument(help: "A key, a section or the last part of a key.")
    var key: String?

    @Option(
      help: ArgumentHelp(
        "Which configuration the key is of.",
        valueName: Preset.Kind.allCases.map(\.rawValue).joined(separator: "|")))
    var kind: Preset.Kind?

    @Flag(help: "Print all keys as a table of Markdown.")
    var markdown = false

    func validate() throws {
      guard !markdown || key == nil else {
        throw ValidationError("--markdown prints all keys: leave out the key")
      }
    }

    func run() throws {
      if markdown {
        try Console.print(KeyGuide(kind ?? .train).markdown, terminator: "")
        return
      }
      let guides = (kind.map { [$0] } ?? Preset.Kind.allCases).map { KeyGuide($0) }
      guard let key else {
        for entry in guides[0].entries { try Console.print("\(entry.key): \(entry.document)") }
        return
      }
      for guide in guides {
        let entries = guide.entries(for: key)
        guard !entries.isEmpty else { continue }
        try Console.print(entries.map(\.text).joined(separator: "\n\n"))
        return
      }
      let near = guides.lazy.compactMap { $0.nearest(to: key) }.first
      throw UnknownKey(key: key, nearest: near)
    }
  }

  /// A key that no configuration has; the description is one line with the remedy.
  struct UnknownKey: Error, CustomStringConvertible {
    let key: String
    let nearest: String?

    var description: String {
      "there is no key \"\(key)\"\(nearest.map { "; did you mean \"\($0)\"?" } ?? ";") "
        + "'baron config explain' lists all"
    }
  }
}

extension Preset.Kind: ExpressibleByArgument {}
