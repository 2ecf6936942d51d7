import ArgumentParser
import Foundation
import Reporting
import Training

/// `baron train`: trains a detector by a preset or a configuration file.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a detector by a preset or a configuration file.",
    discussion: """
      Example: baron train coco-mini --run runs/first --set training.iterations=20

      Presets: \(Preset.names(of: .train).joined(separator: ", ")). Ctrl-C saves a checkpoint \
      and exits with 130; --resume goes on from the newest checkpoint, bit for bit.
      """)

  @Argument(help: "A preset or a YAML file; left out with --resume.")
  var config: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @Option(
    name: .customLong("run"),
    help: ArgumentHelp("The run's folder; default runs/CONFIG.", valueName: "folder"))
  var folder: String?

  @Option(help: ArgumentHelp("Go on with a run.", valueName: "folder"))
  var resume: String?

  @Flag(help: "Print the resolved configuration and stop.")
  var printConfig = false

  @OptionGroup var device: DeviceOption

  func validate() throws {
    try Self.validate(
      config: config, resume: resume, hasOthers: !overrides.isEmpty || folder != nil)
  }

  /// Checks what every command that trains asks of its options.
  static func validate(config: String?, resume: String?, hasOthers: Bool) throws {
    guard (config == nil) != (resume == nil) else {
      throw ValidationError("give either a configuration or --resume FOLDER")
    }
    guard resume == nil || !hasOthers else {
      throw ValidationError("a resumed run keeps its configuration: leave out --set and --run")
    }
  }

  func run() throws {
    let configuration: RunConfiguration
    if let resume {
      configuration = try RunFolder.configuration(of: RunFolder.path(for: resume))
    } else {
      configuration = try RunConfiguration.load(config ?? "", overrides: overrides)
    }
    if printConfig {
      print(configuration.yaml(), terminator: "")
      return
    }
    // The device is looked at before a folder is made.
    let context = try device.makeContext()
    let run =
      try resume.map { try RunFolder.resume(at: RunFolder.path(for: $0)) }
      ?? RunFolder.create(
        at: folder ?? Self.defaultFolder(config ?? ""), yaml: configuration.yaml())
    try TrainingSession(
      configuration: configuration, context: context, run: run, resumes: resume != nil
    ).train()
  }

  /// The run's folder when none is named.
  static func defaultFolder(_ config: String) -> String {
    "runs/" + URL(filePath: config).deletingPathExtension().lastPathComponent
  }
}
