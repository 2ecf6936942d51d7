import Baron
import Detection
import Settings

/// Everything that decides what a run does, apart from the device it runs on.
///
/// The defaults are those published for OV-COCO with a feature pyramid and CLIP as teacher (column B
/// of spec training 4.1). In YAML every key is the property's name in lower_snake_case.
package struct RunConfiguration: Sendable, Equatable {
  /// The detector.
  package var model = DetectorConfiguration()
  /// The image and text model that teaches.
  package var clip = CLIP()
  /// Images, annotations and how they are prepared.
  package var data = Data()
  /// How bags of regions are aligned with the teacher.
  package var alignment = BagSettings()
  /// How regions are aligned one by one with their crops.
  package var regionCrops = RegionCropSettings()
  /// How regions are aligned with captions.
  package var captions = CaptionSettings()
  /// How weights are changed.
  package var optimizer = Optimizer()
  /// How long the run is and what it writes.
  package var training = Training()

  /// Creates the published configuration, without paths.
  package init() {}

  /// Where the weights of the teacher lie, and what stands for the classes.
  package struct CLIP: Sendable, Equatable {
    /// A folder in the layout of Hugging Face: `config.json`, `model.safetensors`, `vocab.json` and
    /// `merges.txt`.
    package var folder = ""
    /// Sentences whose mean embedding stands for a class, with `{name}` and `{article}` in the
    /// places of the name and of "a" or "an"; empty for the 63 published ones (spec clip 3.9).
    package var templates: [String] = []
    /// A `.npy` or safetensors file with one embedding a row for the classes of the training and
    /// validation annotations by ascending id, learned prompts for example; empty encodes the names.
    package var classEmbeddings = ""

    /// Creates a section without folder.
    package init() {}
  }
}

extension RunConfiguration: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.section("model", &model)
    try keys.section("clip", &clip)
    try keys.section("data", &data)
    try keys.section("alignment", &alignment)
    try keys.section("region_crops", &regionCrops)
    try keys.section("captions", &captions)
    try keys.section("optimizer", &optimizer)
    try keys.section("training", &training)
  }
}

extension RunConfiguration {
  /// The sections of all methods, in the order of their losses.
  private var allMethods: [any AlignmentSettings] { [alignment, regionCrops, captions] }

  /// The sections of the methods that are switched on.
  package var methods: [any AlignmentSettings] { allMethods.filter(\.isEnabled) }
}

extension RunConfiguration: ConfigurationRoot {
  static var kind: Preset.Kind { .train }

  /// Loads a preset or a file, with overrides.
  ///
  /// A file may name in `base` the preset or file, relative to itself, that it starts from; of two
  /// values the file's own counts, and an override before both. Keys that nobody gives have the
  /// published values. Paths are then made absolute from the current directory, and `${NAME}` in
  /// them is replaced by the environment's value.
  ///
  /// - Parameters:
  ///   - nameOrPath: A preset's name or a file's path.
  ///   - overrides: Texts `section.key=value`, the value in YAML; of equal keys the last counts.
  /// - Throws: ``ConfigurationError`` with the place of the first thing that is wrong.
  package static func load(
    _ nameOrPath: String, overrides: [String] = []
  ) throws -> RunConfiguration {
    try loaded(nameOrPath, overrides: overrides)
  }

  /// Alignment and caption images without a path of their own are the training images.
  mutating func complete() {
    if data.alignmentAnnotations.isEmpty { data.alignmentAnnotations = data.trainAnnotations }
    if data.alignmentImages.isEmpty { data.alignmentImages = data.trainImages }
    if data.captionImages.isEmpty { data.captionImages = data.trainImages }
  }

  /// The whole configuration as YAML, every key written out.
  ///
  /// Loading the text gives an equal configuration, whatever the current directory and environment.
  ///
  /// - Returns: The text, with a line end.
  package func yaml() -> String { text() }
}

extension RunConfiguration.CLIP: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.path("folder", &folder)
    try keys.field("templates", &templates, .templates)
    try keys.path("class_embeddings", &classEmbeddings)
  }
}
