import ArgumentParser
import Formats
import OpenCL
import Training
import Workbench

/// Whether to train on drawn pictures instead of the configured data.
struct DrawnOption: ParsableArguments {
  @Flag(help: "Train on drawn pictures and, where there is none, with a made-up teacher.")
  var drawn = false

  @Option(
    help: ArgumentHelp(
      "A configuration of clip-train, for the sizes of a made-up teacher; default ViT-B/32.",
      valueName: "config"), completion: Completions.configurations)
  var teacher: String?

  /// The training on drawn pictures.
  ///
  /// - Parameters:
  ///   - training: The training on the configured data.
  ///   - folder: Where pictures and teacher are written.
  ///   - context: The device.
  /// - Throws: `ConfigurationError` for the teacher, or what drawing and writing throw.
  func replace(
    in training: StepRunner, folder: TemporaryFolder, context: Context
  ) throws -> StepRunner {
    try training.drawn(
      DrawnInputs(folder: folder.path, context: context, note: Console.warn),
      teacher: try teacher.map { try CLIPTrainingConfiguration.load($0).model } ?? .init())
  }
}
