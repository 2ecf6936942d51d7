import Settings

extension RunConfiguration {
  /// Images, annotations and how they are prepared (spec training 4.5).
  package struct Data: Sendable, Equatable {
    /// The value of ``classSplit`` that stands for the published 48 + 17 classes of COCO.
    package static let openVocabularyCOCO = "ov_coco"
    /// The value of ``classSplit`` by which frequent and common classes of LVIS are base and rare
    /// ones novel.
    package static let openVocabularyLVIS = "ov_lvis"

    /// COCO annotations of the base classes that train the detector.
    package var trainAnnotations = ""
    /// The folder of their images.
    package var trainImages = ""
    /// COCO annotations of the images that are aligned with the teacher; empty takes
    /// ``trainAnnotations``.
    package var alignmentAnnotations = ""
    /// The folder of their images; empty takes ``trainImages``.
    package var alignmentImages = ""
    /// Captions of the images that are aligned with them.
    package var captionAnnotations = ""
    /// The folder of their images; empty takes ``trainImages``.
    package var captionImages = ""
    /// A COCO or LVIS annotation file: captions that name none of its classes or their synonyms are
    /// left out with their image (spec training 4.5); empty keeps all.
    package var captionClasses = ""
    /// COCO annotations of base and novel classes that measure the detector.
    package var validationAnnotations = ""
    /// The folder of their images.
    package var validationImages = ""
    /// Which classes are base and which novel: `ov_coco`, `ov_lvis` or a JSON file.
    package var classSplit = Self.openVocabularyCOCO
    /// The bound of an image's long side in pixels.
    package var longSide = 1333
    /// The bounds of an image's short side in pixels, one drawn for each training image.
    package var shortSides = [640, 672, 704, 736, 768, 800]
    /// The bound of an image's short side at test, in pixels.
    package var testShortSide = 800
    /// The probability that a training image is flipped from left to right.
    package var flipProbability = 0.5
    /// The share of images below which a class counts as rare and its images are repeated
    /// (spec training 4.5); 0 for no repeats.
    package var resampling = 0.0
    /// Threads that decode images.
    package var threads = 2
    /// Most batches that are ready or in work.
    package var prefetch = 2

    /// Creates a section without paths.
    package init() {}
  }
}

extension RunConfiguration.Data: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.path("train_annotations", &trainAnnotations)
    try keys.path("train_images", &trainImages)
    try keys.path("alignment_annotations", &alignmentAnnotations)
    try keys.path("alignment_images", &alignmentImages)
    try keys.path("caption_annotations", &captionAnnotations)
    try keys.path("caption_images", &captionImages)
    try keys.path("caption_classes", &captionClasses)
    try keys.path("validation_annotations", &validationAnnotations)
    try keys.path("validation_images", &validationImages)
    try keys.path(
      "class_split", &classSplit, except: [Self.openVocabularyCOCO, Self.openVocabularyLVIS])
    try keys.field("long_side", &longSide, .whole(1...16384))
    try keys.field("short_sides", &shortSides, .list(atLeast: 1, .whole(1...16384)))
    try keys.field("test_short_side", &testShortSide, .whole(1...16384))
    try keys.field("flip_probability", &flipProbability, .number(0...1))
    try keys.field("resampling", &resampling, .number(0...1))
    try keys.field("threads", &threads, .whole(1...256))
    try keys.field("prefetch", &prefetch, .whole(1...256))
  }
}
