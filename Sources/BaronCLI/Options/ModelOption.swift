import ArgumentParser
import Foundation
import Training

/// Which trained model a command uses.
struct ModelOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A run, one of its checkpoints, or with --config a weight file as the authors publish them.",
      valueName: "run|file"))
  var checkpoint: String?

  @Option(
    help: ArgumentHelp(
      "The preset or YAML file that a weight file belongs to.", valueName: "config"))
  var config: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Override a key of the model's configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @Option(help: ArgumentHelp("The CLIP folder; default: the configuration's.", valueName: "folder"))
  var clip: String?

  /// Whether nothing was given.
  var isEmpty: Bool { checkpoint == nil && config == nil && overrides.isEmpty && clip == nil }

  /// Where the model lies.
  ///
  /// - Parameter warn: Gets one line per damaged checkpoint that was skipped.
  /// - Returns: Configuration and weights, or nil without --checkpoint.
  /// - Throws: `RunFolderError` when there is no run or checkpoint; `ConfigurationError`.
  func location(warn: (String) -> Void) throws -> ModelLocation? {
    try checkpoint.map {
      try Self.location(of: $0, config: config, overrides: overrides, warn: warn)
    }
  }

  /// Where a model lies.
  ///
  /// - Parameters:
  ///   - checkpoint: A run, one of its checkpoints, or with a configuration a weight file.
  ///   - config: The preset or YAML file that a weight file belongs to.
  ///   - overrides: Changes of the configuration.
  ///   - warn: Gets one line per damaged checkpoint that was skipped.
  /// - Throws: `RunFolderError` when there is no run or checkpoint; `ConfigurationError`.
  static func location(
    of checkpoint: String, config: String?, overrides: [String], warn: (String) -> Void
  ) throws -> ModelLocation {
    guard let config else {
      return try ModelLocation(run: checkpoint, overrides: overrides, warn: warn)
    }
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: checkpoint, isDirectory: &isFolder),
      isFolder.boolValue
    {
      throw RunFolderError.system(
        path: checkpoint,
        reason:
          "is a folder; leave out --config for a run, which has its configuration with it, or "
          + "name a weight file")
    }
    return try ModelLocation(
      weights: checkpoint, configuration: try RunConfiguration.load(config, overrides: overrides))
  }
}
