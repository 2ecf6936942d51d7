import CLIP
import Settings
import Tensors

/// Everything that decides what `baron clip-train` does, apart from the device it runs on.
///
/// In YAML every key is the property's name in lower_snake_case.
package struct CLIPTrainingConfiguration: Sendable, Equatable {
  /// The sizes of the model; the tokenizer is made of the captions.
  package var model = ContrastiveSizes()
  /// Image-caption pairs, and boxes to score the model on.
  package var data = Data()
  /// How weights are changed.
  package var optimizer = RunConfiguration.Optimizer()
  /// How long the run is and what it writes.
  package var training = Training()

  /// Creates a configuration without paths.
  package init() {}

  /// Pairs to learn from and boxes to be scored on.
  package struct Data: Sendable, Equatable {
    /// A COCO caption file; an annotation with `bbox` describes that part of its image only.
    package var trainCaptions = ""
    /// The folder of its images.
    package var trainImages = ""
    /// A COCO detection file whose boxes are classified by name; empty for no score.
    package var validationAnnotations = ""
    /// The folder of its images.
    package var validationImages = ""
    /// `ov_coco` or a file with the names of base and novel classes, to score them apart.
    package var classSplit = ""
    /// Sentences that stand for a class, as in `clip.templates` of a detector's configuration.
    package var templates: [String] = []
    /// Whether captions with the same words, in any order, are no negatives of each other.
    package var masksEqualCaptions = true
    /// Words in more than this share of the captions ("a", "photo") do not tell them apart.
    package var commonWordShare = 0.2
    /// Images are shrunk or enlarged to at most this long side, in pixels, before they are cropped.
    package var longSide = 640

    /// Creates a section without paths.
    package init() {}
  }

  /// How long a run is and what it writes.
  package struct Training: Sendable, Equatable {
    /// Steps of the run.
    package var iterations = 10_000
    /// Pairs of a step, each from another image.
    package var batch = 256
    /// How activations and their gradients are stored.
    package var precision = Precision.automatic
    /// What all random choices follow from.
    package var seed = 0
    /// Iterations between checkpoints; the last iteration always has one.
    package var checkpointEvery = 1000
    /// Checkpoints kept, the newest ones.
    package var keepCheckpoints = 1
    /// Iterations between log lines.
    package var logEvery = 50
    /// Whether the run's folder gets event files for TensorBoard, with every ``logEvery``-th step.
    package var tensorboard = true

    /// Creates the section.
    package init() {}
  }
}

extension CLIPTrainingConfiguration: ConfigurationRoot {
  static var kind: Preset.Kind { .clip }

  /// Loads a preset or a file, with overrides, as `RunConfiguration.load(_:overrides:)` does.
  ///
  /// - Parameters:
  ///   - nameOrPath: A preset's name or a file's path.
  ///   - overrides: Texts `section.key=value`.
  /// - Throws: ``ConfigurationError`` with the place of the first thing that is wrong.
  package static func load(
    _ nameOrPath: String, overrides: [String] = []
  ) throws -> CLIPTrainingConfiguration {
    try loaded(nameOrPath, overrides: overrides)
  }

  /// The whole configuration as YAML, every key written out.
  ///
  /// - Returns: The text, with a line end.
  package func yaml() -> String { text() }

  mutating func complete() {}

  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.section("model", &model)
    try keys.section("data", &data)
    try keys.section("optimizer", &optimizer)
    try keys.section("training", &training)
  }

  func conflicts() -> [(key: String, reason: String)] {
    var found: [(key: String, reason: String)] = []
    for (name, tower) in [("vision", model.vision), ("text", model.text)]
    where tower.width % tower.heads != 0 {
      found.append(
        (
          "model.\(name).heads",
          "is \(tower.heads), which does not divide width \(tower.width)"
        ))
    }
    if model.imageSize % model.patchSize != 0 {
      found.append(
        ("model.patch_size", "is \(model.patchSize), which does not divide \(model.imageSize)"))
    }
    if !data.validationAnnotations.isEmpty, data.classSplit.isEmpty {
      found.append(
        ("data.class_split", "is empty, but there are validation_annotations; give a split"))
    }
    return found
  }

  /// Checks that the paths are there without which training is impossible.
  func requirePaths() throws {
    for (key, path) in [
      ("data.train_captions", data.trainCaptions), ("data.train_images", data.trainImages),
    ] where path.isEmpty {
      throw ConfigurationError.missing(key: key)
    }
  }
}

extension CLIPTrainingConfiguration.Data: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.path("train_captions", &trainCaptions)
    try keys.path("train_images", &trainImages)
    try keys.path("validation_annotations", &validationAnnotations)
    try keys.path("validation_images", &validationImages)
    try keys.path("class_split", &classSplit, except: [RunConfiguration.Data.openVocabularyCOCO])
    try keys.field("templates", &templates, .templates)
    try keys.field("masks_equal_captions", &masksEqualCaptions)
    try keys.field("common_word_share", &commonWordShare, .number(0...1))
    try keys.field("long_side", &longSide, .whole(1...16384))
  }
}

extension CLIPTrainingConfiguration.Training: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("iterations", &iterations, .atLeast(1))
    try keys.field("batch", &batch, .whole(2...65536))
    try keys.field("precision", &precision)
    try keys.field("seed", &seed, .seed)
    try keys.field("checkpoint_every", &checkpointEvery, .atLeast(1))
    try keys.field("keep_checkpoints", &keepCheckpoints, .atLeast(1))
    try keys.field("log_every", &logEvery, .atLeast(1))
    try keys.field("tensorboard", &tensorboard)
  }
}
