import Datasets

/// The data sets of a run with their classes.
public struct TrainingData: Sendable {
  /// Class names in the order of labels.
  public let classNames: [String]
  /// For each class whether training has boxes of it.
  public let isBase: [Bool]
  /// Detection stream first, then the alignment stream when the method is on.
  public let streams: [LoaderStream]
  /// What was read, one line each, to be shown before the first step.
  public let summary: [String]
  /// What is odd about the data, one line each with a count.
  public let warnings: [String]

  /// Fewest pixels of a detection image's shorter side (spec training 4.5).
  static let minimumSide = 32

  /// Reads the annotations.
  ///
  /// - Parameter configuration: The run's configuration.
  /// - Throws: `ConfigurationError` when a path is missing; `DatasetError` when a file is malformed
  ///   or nothing to train on is left.
  public init(_ configuration: RunConfiguration) throws {
    try configuration.requirePathsForTraining()
    let data = configuration.data
    let split = try Self.split(classSplit: data.classSplit)
    let train = try COCOAnnotations(path: data.trainAnnotations, keeping: split.base)
    let base = Set(try split.baseLabels(in: train.categories))
    classNames = train.categories.map(\.name)
    isBase = train.categories.indices.map { base.contains($0) }
    let augmentation = Augmentation(
      longSide: data.longSide, shortSides: data.shortSides, flipProbability: data.flipProbability)
    let usable = train.imageIndices(annotatedWith: base, minimumSide: Self.minimumSide)
    guard !usable.isEmpty else {
      throw DatasetError.record(
        file: data.trainAnnotations, place: "", field: "annotations",
        reason: "no image has a box of a base class; check data.class_split and the file")
    }
    var streams = [
      LoaderStream(
        name: "detection", folder: data.trainImages, images: train.images, indices: usable,
        batchSize: configuration.training.detectionBatch, augmentation: augmentation)
    ]
    var summary = [
      "detection: \(usable.count) of \(train.images.count) images with \(train.report.boxes) "
        + "boxes of \(base.count) base classes; \(classNames.count) classes in all"
    ]
    var warnings = train.report.warnings
    if configuration.alignment.kind != .none {
      let same = data.alignmentAnnotations == data.trainAnnotations
      let alignment =
        same ? train : try COCOAnnotations(path: data.alignmentAnnotations, keeping: split.base)
      let folder = data.alignmentImages.isEmpty ? data.trainImages : data.alignmentImages
      streams.append(
        LoaderStream(
          name: "alignment", folder: folder, images: alignment.images,
          indices: Array(alignment.images.indices),
          batchSize: configuration.training.alignmentBatch, augmentation: augmentation))
      summary.append("alignment: \(alignment.images.count) images")
      if !same { warnings += alignment.report.warnings }
    }
    self.streams = streams
    self.summary = summary
    self.warnings = warnings
  }

  /// The base and novel classes that a configuration names.
  ///
  /// - Parameter classSplit: `ov_coco` or a file's path.
  /// - Returns: The built-in OV-COCO split or that of the file.
  /// - Throws: `DatasetError` when the file is malformed.
  public static func split(classSplit: String) throws -> OpenVocabularySplit {
    classSplit == RunConfiguration.Data.openVocabularyCOCO
      ? .openVocabularyCOCO : try OpenVocabularySplit(path: classSplit)
  }
}
