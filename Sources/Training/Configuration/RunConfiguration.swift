/// Everything that decides what a run does, apart from the device it runs on.
///
/// The defaults are those published for OV-COCO with a feature pyramid and CLIP as teacher (column B
/// of spec training 4.1). In YAML every key is the property's name in lower_snake_case.
public struct RunConfiguration: Sendable, Equatable {
  /// The detector.
  public var model = Model()
  /// The image and text model that teaches.
  public var clip = CLIP()
  /// Images, annotations and how they are prepared.
  public var data = Data()
  /// How groups of regions are aligned with the teacher.
  public var alignment = Alignment()
  /// How weights are changed.
  public var optimizer = Optimizer()
  /// How long the run is and what it writes.
  public var training = Training()

  /// Creates the published configuration, without paths.
  public init() {}

  /// Where the weights of the teacher lie.
  public struct CLIP: Sendable, Equatable {
    /// A folder in the layout of Hugging Face: `config.json`, `model.safetensors`, `vocab.json` and
    /// `merges.txt`.
    public var folder = ""

    /// Creates a section without folder.
    public init() {}
  }
}

extension RunConfiguration: ConfigurationSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.section("model", &model)
    try keys.section("clip", &clip)
    try keys.section("data", &data)
    try keys.section("alignment", &alignment)
    try keys.section("optimizer", &optimizer)
    try keys.section("training", &training)
  }

  /// The whole configuration as YAML, every key written out.
  ///
  /// Loading the text gives an equal configuration, whatever the current directory and environment.
  ///
  /// - Returns: The text, with a line end.
  public func yaml() -> String {
    var copy = self
    var writer = ConfigurationWriter()
    copy.visit(&writer)
    return writer.text
  }
}

extension RunConfiguration.CLIP: ConfigurationSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.path("folder", &folder)
  }
}
