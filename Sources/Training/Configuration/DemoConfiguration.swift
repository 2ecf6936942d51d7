import Settings

/// What `baron demo` does.
///
/// In YAML every key is the property's name in lower_snake_case.
package struct DemoConfiguration: Sendable, Equatable {
  /// What the training scenes, the teacher and the detectors follow from.
  package var seed = 0
  /// The scenes.
  package var world = World()
  /// The CLIP model that teaches.
  package var teacher = Teacher()
  /// The detectors that are compared.
  package var students = Students()
  /// What the report shows.
  package var report = Report()

  /// Creates the demonstration's own values.
  package init() {}

  /// The scenes.
  package struct World: Sendable, Equatable {
    /// Which scenes the detectors are scored on.
    package enum Part: String, Sendable, CaseIterable, SettingsChoice {
      /// Scenes that no setting was chosen on.
      case test
      /// Scenes to choose settings on.
      case validation
    }

    /// What is drawn.
    package enum Kind: String, Sendable, CaseIterable, SettingsChoice {
      /// Every class has a shape of its own.
      case shapes
      /// Most shapes have two names, and only the ground says which.
      case scenery
    }

    /// What is drawn.
    package var kind = Kind.shapes
    /// Scenes to learn from.
    package var trainingImages = 3000
    /// Scenes to be scored on.
    package var evaluationImages = 250
    /// Which scenes the detectors are scored on.
    package var evaluation = Part.test
    /// Captioned parts of each training scene.
    package var regionsPerImage = 16

    /// Creates the demonstration's own world.
    package init() {}
  }

  /// The CLIP model that teaches.
  package struct Teacher: Sendable, Equatable {
    /// A preset or a file, as `baron clip-train` takes it.
    package var config = "demo-teacher"
    /// Texts `section.key=value` over it.
    package var overrides: [String] = []

    /// Creates the demonstration's own teacher.
    package init() {}
  }

  /// The detectors that are compared.
  package struct Students: Sendable, Equatable {
    /// Presets or files, as `baron train` takes them, in the order of training.
    package var configs = ["demo-none", "demo-individual", "demo-bags"]
    /// More of them, trained only when all are asked for.
    package var extraConfigs = ["demo-region-crops"]
    /// Texts `section.key=value` over all of them.
    package var overrides: [String] = []

    /// Creates the demonstration's own detectors.
    package init() {}
  }

  /// What the report shows.
  package struct Report: Sendable, Equatable {
    /// Scenes in the gallery.
    package var pictures = 8
    /// Training steps whose kernels are measured; 0 for none.
    package var profileSteps = 3

    /// Creates the demonstration's own report.
    package init() {}
  }
}

extension DemoConfiguration: ConfigurationRoot {
  static var kind: Preset.Kind { .demo }

  /// Loads a preset or a file, with overrides, as `RunConfiguration.load(_:overrides:)` does.
  ///
  /// - Parameters:
  ///   - nameOrPath: A preset's name or a file's path.
  ///   - overrides: Texts `section.key=value`.
  /// - Throws: ``ConfigurationError`` with the place of the first thing that is wrong.
  package static func load(
    _ nameOrPath: String, overrides: [String] = []
  ) throws -> DemoConfiguration {
    try loaded(nameOrPath, overrides: overrides)
  }

  /// The whole configuration as YAML, every key written out.
  ///
  /// - Returns: The text, with a line end.
  package func yaml() -> String { text() }

  mutating func complete() {}

  func conflicts() -> [(key: String, reason: String)] {
    Set(students.configs).count == students.configs.count
      ? [] : [("students.configs", "names a configuration twice; give each once")]
  }

  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("seed", &seed, .whole(0...1_000_000))
    try keys.section("world", &world)
    try keys.section("teacher", &teacher)
    try keys.section("students", &students)
    try keys.section("report", &report)
  }
}

extension DemoConfiguration.World: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("kind", &kind)
    try keys.field("training_images", &trainingImages, .atLeast(1))
    try keys.field("evaluation_images", &evaluationImages, .atLeast(1))
    try keys.field("evaluation", &evaluation)
    try keys.field("regions_per_image", &regionsPerImage, .atLeast(1))
  }
}

extension DemoConfiguration.Teacher: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("config", &config)
    try keys.field("overrides", &overrides)
  }
}

extension DemoConfiguration.Students: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field(
      "configs", &configs, ValueRule("a list of at least one configuration") { !$0.isEmpty })
    try keys.field("extra_configs", &extraConfigs)
    try keys.field("overrides", &overrides)
  }
}

extension DemoConfiguration.Report: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("pictures", &pictures, .whole(0...100))
    try keys.field("profile_steps", &profileSteps, .whole(0...100))
  }
}
