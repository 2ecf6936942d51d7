import ArgumentParser
import Foundation
import Reporting
import Training

/// `baron clip-train`: trains a CLIP model on image-caption pairs.
struct CLIPTrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clip-train", abstract: "Train a CLIP model on images with captions.",
    discussion: """
      Example: baron world scenes --images 3000 --seed 1
               baron clip-train demo-teacher --run runs/teacher \
      --set data.train_captions=scenes/annotations/region_captions.json \
      --set data.train_images=scenes/images --set data.validation_annotations=

      The model is written to RUN/clip as a Hugging Face folder with a tokenizer of its own. \
      Captions are COCO's; an annotation with a bbox describes that part of its image. \
      Presets: \(Preset.names(of: .clip).joined(separator: ", ")).
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

  @OptionGroup var device: DeviceOption

  func validate() throws {
    try TrainCommand.validate(
      config: config, resume: resume, hasOthers: !overrides.isEmpty || folder != nil)
  }

  func run() throws {
    let configuration: CLIPTrainingConfiguration
    if let resume {
      configuration = try CLIPTrainer.configuration(of: RunFolder.path(for: resume))
    } else {
      configuration = try CLIPTrainingConfiguration.load(config ?? "", overrides: overrides)
    }
    let context = try device.makeContext()
    let run =
      try resume.map { try RunFolder.resume(at: RunFolder.path(for: $0)) }
      ?? RunFolder.create(
        at: folder ?? TrainCommand.defaultFolder(config ?? ""), yaml: configuration.yaml())
    try CLIPTrainingSession(
      configuration: configuration, context: context, run: run, resumes: resume != nil,
      continuation: "baron clip-train --resume \(run.path)"
    ).train()
  }
}
