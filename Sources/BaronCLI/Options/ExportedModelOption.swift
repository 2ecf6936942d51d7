import ArgumentParser
import Training

/// How the weights of a detector that is exported are read.
struct ExportedModelOption: ParsableArguments {
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

  /// Where the model lies.
  ///
  /// - Parameters:
  ///   - checkpoint: What the user named.
  ///   - warn: Gets one line per damaged checkpoint that was skipped.
  /// - Throws: As ``ModelOption/location(of:config:overrides:warn:)``.
  func location(of checkpoint: String, warn: (String) -> Void) throws -> ModelLocation {
    try ModelOption.location(
      of: checkpoint, config: config, overrides: overrides, warn: warn)
  }
}
