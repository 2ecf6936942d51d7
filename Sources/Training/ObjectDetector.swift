import CLIP
import Checkpoints
import Detection
import Formats
import Foundation
import Geometry
import Layers
import Loading
import Masks
import Pictures
import Tensors

/// A trained model with a vocabulary, ready to find objects in photographs.
package final class ObjectDetector {
  /// An object in the pixels of the original image.
  package struct Found: Sendable, Equatable {
    /// The object's box.
    package let box: Box
    /// Its class as a place in ``vocabulary``.
    package let label: Int
    /// How sure the detector is, in 0...1.
    package let score: Float
    /// Its pixels in the original image; nil without a mask head.
    package let mask: RunLengthMask?

    init(_ object: DetectedObject, width: Int, height: Int) {
      box = object.box.clipped(width: Float(width), height: Float(height))
      label = object.label
      score = object.score
      mask = object.mask
    }
  }

  /// The names that are looked for.
  package let vocabulary: [String]
  /// One line about what was loaded.
  package let report: String
  /// The least score of the run's own detections, as validation counts them.
  package let scoreThreshold: Float
  /// The model.
  package let model: OpenVocabularyModel
  /// What the model was made from, with the CLIP folder in use.
  package let configuration: RunConfiguration
  /// The embeddings of ``vocabulary``.
  package let classes: ClassVocabulary
  let preparation: BatchPreparation
  let longSide: Int
  let shortSide: Int

  /// Loads the weights of a run or of a file.
  ///
  /// - Parameters:
  ///   - location: Where configuration and weights are.
  ///   - clipFolder: The CLIP folder; nil takes the configuration's.
  ///   - vocabulary: The classes to look for.
  ///   - rivals: Names of the vocabulary that only compete: what is found of them comes in addition to
  ///     the most detections of an image.
  ///   - stream: Where it runs.
  ///   - warn: Gets one line when the configuration's `clip.class_embeddings` cannot serve the
  ///     vocabulary.
  /// - Throws: `CheckpointError` when a file is damaged or does not fit; `TokenizerError` for a name
  ///   that is too long; `DatasetError` when base classes are needed and cannot be read;
  ///   `OpenCLError`.
  package convenience init(
    _ location: ModelLocation, clipFolder: String? = nil, vocabulary: Vocabulary,
    rivals: Set<String> = [], on stream: ComputeStream, warn: (String) -> Void
  ) throws {
    let activity = Activity.begin("loading the detector")
    defer { Activity.end(activity) }
    var configuration = location.configuration
    if let clipFolder { configuration.clip.folder = clipFolder }
    // Callers may ask for less than the run's threshold; the rest is taken away afterwards.
    let threshold = configuration.model.head.detections.scoreThreshold
    configuration.model.head.detections.scoreThreshold = 0
    configuration.model.head.detections.rivals = Set(
      vocabulary.names.indices.filter { rivals.contains(vocabulary.names[$0]) })
    let weights = location.weights
    let model = try OpenVocabularyModel(
      configuration: configuration,
      clip: try Self.clip(configuration.clip.folder, isRunsOwn: clipFolder == nil), stream: stream
    ) { weights.name(of: $0) != nil }
    var report = try weights.load(into: model.store)
    if let missing = report.missing.first {
      throw CheckpointError.missingTensor(
        path: report.path, name: missing,
        remedy: "the checkpoint is of another configuration")
    }
    report.unused.removeAll { name in Self.isOfTrainingOnly(name) }
    configuration.model.head.detections.scoreThreshold = threshold
    try self.init(
      model: model, configuration: configuration, vocabulary: vocabulary,
      isBase: try location.leansOnMainHead(vocabulary.names), report: report.summary, warn: warn)
  }

  /// Reads the CLIP model; errors say who named its folder.
  private static func clip(_ folder: String, isRunsOwn: Bool) throws -> CLIPWeights {
    do {
      return try CLIPWeights(folder: folder)
    } catch let error as CheckpointError {
      throw error.adding(
        isRunsOwn ? "(clip.folder of the run; --clip FOLDER gives another)" : "(--clip)")
    }
  }

  /// Position embeddings, and in the authors' files the CLIP model and the classes of training.
  private static func isOfTrainingOnly(_ name: String) -> Bool {
    [
      "roi_head.baron_kd.", "roi_head.baron_caption.", "roi_head.clip.",
      "roi_head.bbox_head.cls_embeddings", "roi_head.bbox_head.is_base",
    ].contains { name.hasPrefix($0) }
  }

  /// Uses a model that is already there, while training for example.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - configuration: The run's configuration.
  ///   - vocabulary: The classes to look for.
  ///   - isBase: For each class whether training has boxes of it; nil asks the configuration.
  ///   - report: One line about where the weights came from.
  ///   - warn: Gets one line when `clip.class_embeddings` cannot serve the vocabulary.
  /// - Throws: `TokenizerError` for a name that is too long; `CheckpointError` when
  ///   `clip.class_embeddings` does not fit; `OpenCLError`.
  package init(
    model: OpenVocabularyModel, configuration: RunConfiguration, vocabulary: Vocabulary,
    isBase: [Bool]? = nil, report: String = "", warn: (String) -> Void = { _ in }
  ) throws {
    self.model = model
    self.configuration = configuration
    self.vocabulary = vocabulary.names
    self.report = report
    scoreThreshold = Float(configuration.model.head.detections.scoreThreshold)
    classes = try Activity.during("encoding the class names") {
      try model.vocabulary(
        vocabulary, isBase: try isBase ?? configuration.leansOnMainHead(vocabulary.names),
        note: warn)
    }
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
  package func detect(_ images: [Image], above threshold: Float? = nil) throws -> [[Found]] {
    try inGroups(images) { batch, frames in
      try model.detector.detect(
        batch, frames: frames, vocabulary: classes, textEncoder: model.regionEncoder)
    }.enumerated().map { index, objects in
      Self.found(objects, in: images[index], above: threshold ?? scoreThreshold)
    }
  }

  /// Passes images of one size together, and gives the results in the order of the images.
  func inGroups<Result>(
    _ images: [Image], _ body: (Tensor, [ImageView]) throws -> [Result]
  ) throws -> [Result] {
    let samples = images.map { image in
      LoadedSample(
        image: image,
        view: ImageView(
          originalWidth: image.width, originalHeight: image.height, longSide: longSide,
          shortSide: shortSide))
    }
    let groups = Dictionary(grouping: samples.indices) { index in
      samples[index].view.padded(to: preparation.paddingUnit)
    }
    var results: [(place: Int, result: Result)] = []
    for (_, members) in groups.sorted(by: { $0.value[0] < $1.value[0] }) {
      let batch = members.map { samples[$0] }
      let found = try Activity.during("looking at pictures") {
        try body(try preparation.images(batch, on: model.stream), batch.map(\.view))
      }
      results += zip(members, found).map { ($0, $1) }
    }
    return results.sorted { $0.place < $1.place }.map(\.result)
  }

  private static func found(
    _ objects: [DetectedObject], in image: Image, above threshold: Float
  ) -> [Found] {
    objects.filter { $0.score > threshold }.map {
      Found($0, width: image.width, height: image.height)
    }
  }
}
