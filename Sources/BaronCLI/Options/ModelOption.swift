import ArgumentParser
import Foundation
import Training

/// Which trained model a command uses.
struct ModelOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A run, one of its checkpoints, a file of 'baron export', or with --config a weight file as the "
        + "authors publish them.",
      valueName: "run|file"), completion: Completions.models)
  var checkpoint: String?

  @OptionGroup var reading: ModelReadingOption

  /// Whether nothing was given.
  var isEmpty: Bool { checkpoint == nil && reading.isEmpty }

  /// Where the model lies.
  ///
  /// - Parameter warn: Gets one line per damaged checkpoint that was skipped.
  /// - Returns: Configuration and weights, or nil without --checkpoint.
  /// - Throws: `RunFolderError` when there is no run or checkpoint; `ConfigurationError`.
  func location(warn: (String) -> Void) throws -> ModelLocation? {
    try checkpoint.map { try reading.location(of: $0, warn: warn) }
  }
}

/// How a model is read that was named in whatever way.
struct ModelReadingOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The preset or YAML file that a weight file belongs to.", valueName: "config"),
    completion: Completions.configurations)
  var config: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Override a key of the model's configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @Option(
    help: ArgumentHelp("The CLIP folder; default: the configuration's.", valueName: "folder"),
    completion: .directory)
  var clip: String?

  /// Whether nothing was given.
  var isEmpty: Bool { config == nil && overrides.isEmpty && clip == nil }

  /// Where a model lies.
  ///
  /// - Parameters:
  ///   - checkpoint: A run, a checkpoint, a bundle, or with a configuration a weight file.
  ///   - warn: Gets one line per damaged checkpoint that was skipped.
  /// - Throws: `RunFolderError` when there is no run or checkpoint; `ConfigurationError`.
  func location(of checkpoint: String, warn: (String) -> Void) throws -> ModelLocation {
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
