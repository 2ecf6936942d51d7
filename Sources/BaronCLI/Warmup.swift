import CLIP
import Checkpoints
import DemoWorld
import Foundation
import KernelLibrary
import Layers
import OpenCL
import Reporting
import Tensors
import Training

/// Runs training steps on drawn pictures until all their kernels are compiled and in the cache.
///
/// A step, not a list of programs: which programs and which local sizes a step needs follows from
/// widths, sizes and the device, and only the step itself knows it for sure.
final class Warmup {
  /// Programs by where they came from.
  struct Counts {
    let compiled, cached: Int
  }

  /// The second step finds the queues of the first one filled and is the last that brings new
  /// kernels.
  private static let steps = 2

  private let context: Context
  private let folder: String
  private let line: ProgressLine
  private var done = 0

  /// Makes the folder for what is drawn.
  ///
  /// - Parameter context: The device and the cache to fill.
  /// - Throws: `CocoaError` when the folder for temporary files cannot be written.
  init(context: Context) throws {
    self.context = context
    folder =
      FileManager.default.temporaryDirectory.appending(
        path: "baron-warmup-\(UUID().uuidString)"
      ).path
    line = ProgressLine(label: "warmup", total: Self.steps + 3, interval: .steps(1))
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// Warms up for training a detector.
  ///
  /// - Parameters:
  ///   - configuration: What is trained; paths do not matter but for `clip.folder`.
  ///   - teacher: The widths of a made-up teacher, used when `clip.folder` holds none.
  /// - Returns: How many programs there were.
  /// - Throws: What training throws.
  func run(
    _ configuration: RunConfiguration, teacher: CLIPTrainingConfiguration.Model
  ) throws -> Counts {
    var configuration = configuration
    let training = configuration.training
    let world = try drawWorld(
      images: max(training.detectionBatch, training.alignmentBatch, 4), regions: 0,
      pixels: configuration.data.shortSides.max() ?? 0)
    if !FileManager.default.fileExists(atPath: "\(configuration.clip.folder)/config.json") {
      line.note("clip.folder: no teacher there; taking a made-up one")
      configuration.clip.folder = try makeTeacher(teacher, for: configuration)
    }
    configuration.model.start = ""
    configuration.data.trainAnnotations = "\(world)/annotations/instances_base.json"
    configuration.data.trainImages = "\(world)/images"
    configuration.data.alignmentAnnotations = configuration.data.trainAnnotations
    configuration.data.alignmentImages = configuration.data.trainImages
    configuration.data.classSplit = "\(world)/annotations/classes.json"
    // One iteration more than is run: the last one saves.
    configuration.training.iterations = Self.steps + 1
    configuration.training.checkpointEvery = Self.steps + 1
    configuration.training.evaluateEvery = 0
    let run = try RunFolder.create(at: "\(folder)/run", yaml: configuration.yaml())
    let trainer = try Trainer(configuration: configuration, run: run, context: context) { _ in }
    return try self.run(
      trainer.step.student.library, [trainer.step.student.queue, trainer.step.teacher.queue]
    ) { try trainer.train(afterStep: $0) }
  }

  /// Warms up for training a CLIP model.
  ///
  /// - Parameter configuration: What is trained; paths do not matter.
  /// - Returns: How many programs there were.
  /// - Throws: What training throws.
  func run(_ configuration: CLIPTrainingConfiguration) throws -> Counts {
    var configuration = configuration
    let world = try drawWorld(
      images: configuration.training.batch, regions: 4, pixels: configuration.model.imageSize)
    configuration.data.trainCaptions = "\(world)/annotations/region_captions.json"
    configuration.data.trainImages = "\(world)/images"
    configuration.data.validationAnnotations = ""
    configuration.training.iterations = Self.steps + 1
    configuration.training.checkpointEvery = Self.steps + 1
    let run = try RunFolder.create(at: "\(folder)/run", yaml: configuration.yaml())
    let trainer = try CLIPTrainer(
      configuration: configuration, run: run, context: context
    ) { _ in }
    return try self.run(trainer.stream.library, [trainer.stream.queue]) {
      try trainer.train(afterStep: $0)
    }
  }

  /// Shows that one more part is done.
  private func advance() {
    done += 1
    line.update(step: done)
  }

  private func run(
    _ library: KernelLibrary, _ queues: [CommandQueue],
    train: (_ afterStep: (Int) throws -> Void) throws -> Void
  ) throws -> Counts {
    advance()
    line.note("compiling; the first time on a device this takes up to a minute")
    do {
      try train { iteration in
        // Some drivers compile a second time when a kernel first runs.
        for queue in queues { try queue.finish() }
        advance()
        if iteration + 1 == Self.steps { throw Done() }
      }
    } catch is Done {
    } catch TrainingError.notFinite {
      // Start weights and pictures are made up; the kernels have run all the same.
    }
    for queue in queues { try queue.finish() }
    library.storePrograms()
    done = Self.steps + 2
    advance()
    line.finish()
    return Counts(compiled: library.compiledCount, cached: library.cachedCount)
  }

  /// Ends the training once all kernels have run.
  private struct Done: Error {}

  private func drawWorld(images: Int, regions: Int, pixels: Int) throws -> String {
    let world = "\(folder)/world"
    try DemoWorld.write(
      to: world, images: images, seed: 0, pixels: min(max(pixels, 96), 1024),
      regionsPerImage: regions)
    advance()
    return world
  }

  /// Writes a teacher with start values; depth changes no kernel, so two blocks are enough.
  private func makeTeacher(
    _ sizes: CLIPTrainingConfiguration.Model, for configuration: RunConfiguration
  ) throws -> String {
    let path = "\(folder)/teacher"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    // Words in pieces would make the sentences longer than a text may be.
    let tokens = try Tokenizer.writeVocabulary(
      of: Glyph.allCases.flatMap {
        PromptTemplates.texts(for: $0.rawValue, templates: configuration.clip.templates)
      }, to: path)
    func tower(_ sizes: CLIPTrainingConfiguration.Tower) -> CLIPConfiguration.Tower {
      .init(
        width: sizes.width, layers: min(sizes.layers, 2), heads: sizes.heads,
        mlpWidth: 4 * sizes.width)
    }
    let model = try ContrastiveModel(
      ParameterStore(stream: try ComputeStream(context: context), seed: 0),
      configuration: CLIPConfiguration(
        text: tower(sizes.text), vision: tower(sizes.vision), vocabularySize: tokens,
        contextLength: sizes.contextLength, imageSize: sizes.imageSize,
        patchSize: sizes.patchSize, embeddingWidth: sizes.embeddingWidth))
    try model.write(to: path)
    return path
  }
}
