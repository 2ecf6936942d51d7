import ArgumentParser
import Training

/// `baron clip-train`: trains a CLIP model on image-caption pairs.
struct CLIPTrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clip-train", abstract: "Train a CLIP model on images with captions.",
    discussion: """
      Example: baron world scenes --images 3000 --seed 1
               baron clip-train demo-teacher --run runs/teacher \
      --set data.train_captions=scenes/annotations/region_captions.json \
      --set data.train_images=scenes/images --set data.validation_annotations=""

      The model is written to RUN/clip as a Hugging Face folder with a tokenizer of its own. \
      Captions are COCO's; an annotation with a bbox describes that part of its image. \
      Presets: \(Preset.names(of: .clip).joined(separator: ", ")).
      """)

  @OptionGroup var training: TrainingOptions

  @OptionGroup var device: DeviceOption

  func run() throws {
    let configuration = try training.configuration(CLIPTrainingConfiguration.load)
    // The device is looked at before a folder is made.
    let context = try device.makeContext()
    context.compileInParallel()
    let run = try training.open(yaml: configuration.yaml())
    try TrainingSession(configuration, context: context, run: run).train(
      rewriting: training.changesRun ? configuration.yaml() : nil)
  }
}
