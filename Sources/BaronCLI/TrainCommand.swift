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

      Presets: \(RunConfiguration.presetNames.joined(separator: ", ")). Ctrl-C saves a checkpoint \
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
    guard (config == nil) != (resume == nil) else {
      throw ValidationError("give either a configuration or --resume FOLDER")
    }
    guard resume == nil || (overrides.isEmpty && folder == nil) else {
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
        at: folder ?? Self.defaultFolder(config ?? ""), configuration: configuration)
    try TrainingSession(
      configuration: configuration, context: context, run: run, resumes: resume != nil
    ).train()
  }

  private static func defaultFolder(_ config: String) -> String {
    "runs/" + URL(filePath: config).deletingPathExtension().lastPathComponent
  }
}
