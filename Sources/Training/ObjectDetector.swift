import CLIP
import Checkpoints
import Datasets
import Detection
import Foundation
import Masks
import Tensors

/// A trained model with a vocabulary, ready to find objects in photographs.
public final class ObjectDetector {
  /// An object in the pixels of the original image.
  public struct Found: Sendable, Equatable {
    /// The object's box.
    public let box: BoundingBox
    /// Its class as a place in ``vocabulary``.
    public let label: Int
    /// How sure the detector is, in 0...1.
    public let score: Float
    /// Its pixels in the original image; nil without a mask head.
    public let mask: RunLengthMask?
  }

  /// The names that are looked for.
  public let vocabulary: [String]
  /// What was loaded.
  public let report: LoadReportLine
  /// The least score of the run's own detections, as validation counts them.
  public let scoreThreshold: Float
  private let model: OpenVocabularyModel
  private let classes: ClassVocabulary
  private let preparation: BatchPreparation
  private let longSide: Int
  private let shortSide: Int

  /// One line about loaded weights.
  public typealias LoadReportLine = String

  /// Loads a run's newest checkpoint, or a given one.
  ///
  /// - Parameters:
  ///   - path: A run folder or a checkpoint folder inside one.
  ///   - clipFolder: The CLIP folder; nil takes the run's.
  ///   - vocabulary: The classes to look for.
  ///   - stream: Where it runs.
  ///   - warn: Gets one line per damaged checkpoint that was skipped, and when the run's
  ///     `clip.class_embeddings` cannot serve the vocabulary.
  /// - Throws: `RunFolderError` when there is no run or checkpoint; `CheckpointError` when a file is
  ///   damaged or does not fit; `TokenizerError` for a name that is too long; `OpenCLError`.
  public convenience init(
    run path: String, clipFolder: String? = nil, vocabulary: Vocabulary, on stream: ComputeStream,
    warn: (String) -> Void
  ) throws {
    let location = try RunLocation(path, warn: warn)
    var configuration = location.configuration
    if let clipFolder { configuration.clip.folder = clipFolder }
    // Callers may ask for less than the run's threshold; the rest is taken away afterwards.
    let threshold = configuration.model.head.scoreThreshold
    configuration.model.head.scoreThreshold = 0
    let weights = "\(location.checkpoint)/\(ModelState.modelFile)"
    let source = try openWeights(path: weights)
    let model = try OpenVocabularyModel(
      configuration: configuration, clip: try CLIPWeights(folder: configuration.clip.folder),
      stream: stream
    ) { source.shape(of: $0) != nil }
    let report = try model.store.load(from: source) { name in
      // The position embeddings are of training only.
      ["roi_head.baron_kd.", "roi_head.baron_caption."].contains(where: name.hasPrefix) ? nil : name
    }
    if let missing = report.missing.first {
      throw CheckpointError.missingTensor(
        path: weights, name: missing, remedy: "the checkpoint is of another configuration")
    }
    configuration.model.head.scoreThreshold = threshold
    try self.init(
      model: model, configuration: configuration, vocabulary: vocabulary, report: report.summary,
      warn: warn)
  }

  /// Uses a model that is already there, while training for example.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - configuration: The run's configuration.
  ///   - vocabulary: The classes to look for.
  ///   - report: One line about where the weights came from.
  ///   - warn: Gets one line when `clip.class_embeddings` cannot serve the vocabulary.
  /// - Throws: `TokenizerError` for a name that is too long; `CheckpointError` when
  ///   `clip.class_embeddings` does not fit; `OpenCLError`.
  public init(
    model: OpenVocabularyModel, configuration: RunConfiguration, vocabulary: Vocabulary,
    report: String = "", warn: (String) -> Void = { _ in }
  ) throws {
    self.model = model
    self.vocabulary = vocabulary.names
    self.report = report
    scoreThreshold = Float(configuration.model.head.scoreThreshold)
    classes = try model.vocabulary(
      vocabulary, isBase: [Bool](repeating: true, count: vocabulary.names.count), note: warn)
    preparation = configuration.preparation
    longSide = configuration.data.longSide
    shortSide = configuration.data.testShortSide
  }

  /// Finds objects in images.
  ///
  /// Images that have one size after resizing and padding pass the network together, so that what is
  /// found in one does not depend on its company.
  ///
  /// - Parameters:
  ///   - images: The images, upright.
  ///   - threshold: Objects score more than this; nil takes ``scoreThreshold``. Less than that counts
  ///     only for a detector loaded from a run: a model in training has its threshold built in.
  /// - Returns: For each image its objects, best first.
  /// - Throws: `OpenCLError` when the device fails, `MaskError` for an image too large for masks.
  public func detect(_ images: [Image], above threshold: Float? = nil) throws -> [[Found]] {
    let samples = images.map { image in
      LoadedSample(
        imageID: 0, image: image,
        transform: ImageTransform(
          originalWidth: image.width, originalHeight: image.height, longSide: longSide,
          shortSide: shortSide, isFlipped: false))
    }
    let groups = Dictionary(grouping: samples.indices) { index in
      preparation.paddedSize(samples[index])
    }
    var results = [[Found]](repeating: [], count: images.count)
    for (_, members) in groups.sorted(by: { $0.value[0] < $1.value[0] }) {
      let batch = members.map { samples[$0] }
      let found = try model.detector.detect(
        try preparation.images(batch, on: model.stream), frames: preparation.frames(batch),
        vocabulary: classes, textEncoder: model.regionEncoder)
      for (index, objects) in zip(members, found) {
        results[index] = Self.found(
          objects, in: images[index], above: threshold ?? scoreThreshold)
      }
    }
    return results
  }

  private static func found(
    _ objects: [DetectedObject], in image: Image, above threshold: Float
  ) -> [Found] {
    objects.filter { $0.score > threshold }.map { object in
      Found(
        box: BoundingBox(
          x1: object.box.x1, y1: object.box.y1, x2: object.box.x2, y2: object.box.y2
        ).clipped(width: Float(image.width), height: Float(image.height)),
        label: object.label, score: object.score, mask: object.mask)
    }
  }
}

/// The configuration and a checkpoint of a run.
public struct RunLocation: Sendable {
  /// The run's configuration.
  public let configuration: RunConfiguration
  /// The checkpoint folder.
  public let checkpoint: String

  /// The run's folder.
  public let run: String

  /// Finds a run's newest whole checkpoint, or takes the given one.
  ///
  /// - Parameters:
  ///   - path: A run folder or a checkpoint folder inside one.
  ///   - warn: Gets one line per damaged checkpoint that was skipped.
  /// - Throws: `RunFolderError` when there is no run or no checkpoint.
  public init(_ path: String, warn: (String) -> Void) throws {
    let files = FileManager.default
    if files.fileExists(atPath: "\(path)/\(ModelState.modelFile)") {
      // RUN/checkpoints/iteration-…
      run =
        URL(filePath: path).standardizedFileURL.deletingLastPathComponent()
        .deletingLastPathComponent().path
      configuration = try RunFolder.configuration(of: run)
      checkpoint = path
      return
    }
    run = files.fileExists(atPath: path) ? path : RunFolder.path(for: path)
    configuration = try RunFolder.configuration(of: run)
    guard let latest = CheckpointFolders(path: "\(run)/checkpoints").latest(warn: warn) else {
      throw RunFolderError.noCheckpoint(path: run)
    }
    checkpoint = latest.path
  }

  /// How many iterations the checkpoint has seen.
  ///
  /// - Returns: The number, or nil when the checkpoint's folder was renamed.
  public var iteration: Int? {
    URL(filePath: checkpoint).lastPathComponent.split(separator: "-").last.flatMap { Int($0) }
  }

  /// The names of the classes of the run's validation set, or of its training set without one.
  ///
  /// - Returns: The names in the order of their ids.
  /// - Throws: `DatasetError` when the file is gone or malformed.
  public func classNames() throws -> [String] {
    let data = configuration.data
    let path =
      data.validationAnnotations.isEmpty ? data.trainAnnotations : data.validationAnnotations
    return try COCOAnnotations(path: path).categories.map(\.name)
  }
}
