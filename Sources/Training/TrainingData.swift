import Annotations
import Formats
import Loading

/// The data sets of a run with their classes.
package struct TrainingData: Sendable {
  /// Class names in the order of labels.
  package let classNames: [String]
  /// For each class whether training has boxes of it.
  package let isBase: [Bool]
  /// The stream of detection and those that the configured methods look at.
  package let streams: [LoaderStream]
  /// What was read, one line each, to be shown before the first step.
  package let summary: [String]
  /// What is odd about the data, one line each with a count.
  package let warnings: [String]

  /// Fewest pixels of a detection image's shorter side (spec training 4.5).
  static let minimumSide = 32

  /// Reads the annotations.
  ///
  /// - Parameter configuration: The run's configuration.
  /// - Throws: `ConfigurationError` when a path is missing; `DatasetError` when a file is malformed
  ///   or nothing to train on is left.
  package init(_ configuration: RunConfiguration) throws {
    try configuration.requirePathsForTraining()
    let data = configuration.data
    func read(_ path: String, _ key: String, _ folder: String) throws -> (AnnotationIndex, [String])
    {
      var index = try DatasetError.naming(key) { try AnnotationIndex(path: path) }
      let measured = index.completeSizes(from: folder)
      return (index, index.warnings + measured)
    }
    let (index, odd) = try read(
      data.trainAnnotations, "data.train_annotations", data.trainImages)
    let (split, train, base) = try DatasetError.naming("data.class_split") {
      let split = try Self.split(classSplit: data.classSplit, of: index.categories, in: index.path)
      let train = try COCOAnnotations(index, keeping: split.base)
      return (split, train, Set(try split.baseLabels(in: train.categories, of: index.path)))
    }
    classNames = train.categories.map(\.name)
    isBase = train.categories.indices.map { base.contains($0) }
    let augmentation = Augmentation(
      longSide: data.longSide, shortSides: data.shortSides, flipProbability: data.flipProbability)
    func balanced(_ images: [COCOAnnotations.ImageRecord], _ indices: [Int]) -> [Int] {
      data.resampling == 0
        ? indices : ClassBalance.repeated(indices, of: images, threshold: data.resampling)
    }
    let usable = train.imageIndices(annotatedWith: base, minimumSide: Self.minimumSide)
    try train.requireBoxes(in: usable)
    let masks = configuration.model.mask.enabled ? try SegmentationReader(index) : nil
    var streams = [
      LoaderStream(
        name: .detection, folder: data.trainImages, folderKey: "data.train_images",
        images: train.images, indices: balanced(train.images, usable),
        batchSize: configuration.training.detectionBatch, augmentation: augmentation,
        segmentations: masks)
    ]
    var summary = [
      "detection: \(usable.count) of \(train.images.count, "image") with "
        + "\(train.report.boxes, "box") of "
        + "\(base.count, "base class"); \(classNames.count, "class") in all"
    ]
    var warnings = odd + train.report.warnings
    if let masks, let line = try train.maskWarning(masks) { warnings.append(line) }
    let wanted = Set(configuration.methods.map(\.stream))
    if wanted.contains(.alignment) {
      let same = data.alignmentAnnotations == data.trainAnnotations
      let folder = data.alignmentImages.isEmpty ? data.trainImages : data.alignmentImages
      let (other, otherOdd) =
        same
        ? (index, [])
        : try read(
          data.alignmentAnnotations, "data.alignment_annotations", folder)
      let alignment =
        same
        ? train
        : try DatasetError.naming("data.alignment_annotations") {
          try COCOAnnotations(other, keeping: split.base)
        }
      // OV-LVIS leaves out small images here too; OV-COCO takes all (spec training 4.5).
      let alignmentSide =
        data.classSplit == RunConfiguration.Data.openVocabularyLVIS ? Self.minimumSide : 0
      streams.append(
        LoaderStream(
          name: .alignment, folder: folder,
          folderKey: data.alignmentImages.isEmpty ? "data.train_images" : "data.alignment_images",
          images: alignment.images,
          indices: balanced(
            alignment.images,
            alignment.imageIndices(annotatedWith: nil, minimumSide: alignmentSide)),
          batchSize: configuration.training.alignmentBatch, augmentation: augmentation))
      summary.append("alignment: \(alignment.images.count, "image")")
      if !same { warnings += otherOdd + alignment.report.warnings }
    }
    if wanted.contains(.captions) {
      let captions = try Self.captions(configuration, augmentation: augmentation)
      streams.append(captions.stream)
      summary.append(captions.summary)
    }
    self.streams = streams
    self.summary = summary
    self.warnings = warnings
  }

  /// The stream of captioned images, and what became of the others.
  private static func captions(
    _ configuration: RunConfiguration, augmentation: Augmentation
  ) throws -> (stream: LoaderStream, summary: String) {
    let data = configuration.data
    let captions = try DatasetError.naming("data.caption_annotations") {
      try Captions(path: data.captionAnnotations)
    }
    var used = Array(captions.images.indices)
    var left = ["\(captions.uncaptionedCount) without captions"]
    if !data.captionClasses.isEmpty {
      let mentions = try DatasetError.naming("data.caption_classes") {
        try ClassMentions(path: data.captionClasses)
      }
      used = captions.imageIndices(mentioning: mentions)
      guard !used.isEmpty else {
        throw DatasetError.record(
          file: data.captionClasses, place: "", field: "categories",
          reason:
            "no caption of \(data.captionAnnotations) names one of its \(mentions.classCount) "
            + "classes; give data.caption_classes another file or leave it empty")
      }
      left.append(
        "\(captions.images.count - used.count) whose captions name none of "
          + "\(mentions.classCount, "class")")
    }
    let count = used.reduce(0) { $0 + captions.images[$1].captions.count }
    return (
      LoaderStream(
        name: .captions,
        folder: data.captionImages.isEmpty ? data.trainImages : data.captionImages,
        folderKey: data.captionImages.isEmpty ? "data.train_images" : "data.caption_images",
        images: captions.images, indices: used, batchSize: configuration.training.captionBatch,
        augmentation: augmentation),
      "captions: \(used.count, "image") with \(count, "caption"); left out: "
        + left.joined(separator: ", ")
    )
  }

  /// The base and novel classes that a configuration names.
  ///
  /// - Parameters:
  ///   - classSplit: `ov_coco`, `ov_lvis` or a file's path.
  ///   - categories: The classes of the annotation file.
  ///   - source: The annotation file, for the error.
  /// - Returns: A built-in split or that of the file.
  /// - Throws: `DatasetError` when the file is malformed or LVIS classes have no frequencies.
  package static func split(
    classSplit: String, of categories: [COCOAnnotations.Category], in source: String
  ) throws -> OpenVocabularySplit {
    switch classSplit {
    case RunConfiguration.Data.openVocabularyCOCO: .openVocabularyCOCO
    case RunConfiguration.Data.openVocabularyLVIS:
      try OpenVocabularySplit(frequenciesOf: categories, source: source)
    default: try OpenVocabularySplit(path: classSplit)
    }
  }
}
