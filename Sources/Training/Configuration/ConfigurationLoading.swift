import Foundation

extension RunConfiguration {
  /// The names of the configurations that ship inside the program, sorted.
  public static var presetNames: [String] { presets.map(\.name) }

  /// The YAML text of a preset, with its comments.
  ///
  /// - Parameter name: One of ``presetNames``.
  /// - Returns: The text.
  /// - Throws: ``ConfigurationError`` when there is no such preset.
  public static func presetText(_ name: String) throws -> String {
    guard let preset = presets.first(where: { $0.name == name }) else {
      throw ConfigurationError.unknownName(place: nil, name: name, presets: presetNames)
    }
    return String(decoding: preset.bytes, as: UTF8.self)
  }

  private static var presets: [(name: String, bytes: [UInt8])] {
    [
      ("coco-mini", PackageResources.coco_mini_yaml),
      ("demo", PackageResources.demo_yaml),
      ("ov-coco-fpn-kd", PackageResources.ov_coco_fpn_kd_yaml),
    ]
  }

  /// Loads a preset or a file, with overrides.
  ///
  /// A file may name in `base` the preset or file, relative to itself, that it starts from; of two
  /// values the file's own counts, and an override before both. Keys that nobody gives have the
  /// published values. Paths are then made absolute from the current directory, and `${NAME}` in
  /// them is replaced by the environment's value.
  ///
  /// - Parameters:
  ///   - nameOrPath: One of ``presetNames`` or a file's path.
  ///   - overrides: Texts `section.key=value`, the value in YAML; of equal keys the last counts.
  /// - Returns: The checked configuration.
  /// - Throws: ``ConfigurationError`` with the place of the first thing that is wrong.
  public static func load(
    _ nameOrPath: String, overrides: [String] = []
  ) throws -> RunConfiguration {
    try load(
      nameOrPath, overrides: overrides, environment: ProcessInfo.processInfo.environment,
      directory: FileManager.default.currentDirectoryPath)
  }

  /// Loads with the surroundings as parameters.
  static func load(
    _ nameOrPath: String, overrides: [String], environment: [String: String], directory: String
  ) throws(ConfigurationError) -> RunConfiguration {
    var loading = ConfigurationLoading()
    try loading.apply(nameOrPath, chain: [])
    for override in overrides { try loading.apply(override: override) }
    var configuration = loading.configuration
    var resolver = PathResolver(
      environment: environment, directory: directory, places: loading.places)
    try configuration.visit(&resolver)
    configuration.completePaths()
    try configuration.check(places: loading.places, name: nameOrPath)
    return configuration
  }

  /// Alignment images without a path of their own are the training images.
  private mutating func completePaths() {
    if data.alignmentAnnotations.isEmpty { data.alignmentAnnotations = data.trainAnnotations }
    if data.alignmentImages.isEmpty { data.alignmentImages = data.trainImages }
  }
}

/// A configuration that texts are laid over, one after the other.
private struct ConfigurationLoading {
  /// The values so far.
  var configuration = RunConfiguration()
  /// Where each of them was written.
  var places: [String: ConfigurationPlace] = [:]

  /// Lays a preset or file over the values, its base first.
  mutating func apply(_ nameOrPath: String, chain: [String]) throws(ConfigurationError) {
    let (source, text) = try Self.read(nameOrPath)
    let chain = chain + [source.name]
    var reader = try ConfigurationReader(
      try source.parse(text) ?? source.empty, source: source)
    var base = ""
    try reader.field(
      "base", &base, ValueRule("the name of a preset or the path of a file") { _ in true })
    if !base.isEmpty {
      let path = Self.base(base, of: nameOrPath)
      let place = reader.places["base"] ?? ConfigurationPlace(source.name)
      if chain.contains(path) || chain.contains("preset \(path)") {
        throw .circularBase(place: place, name: base)
      }
      let presets = RunConfiguration.presetNames
      guard presets.contains(path) || FileManager.default.fileExists(atPath: path) else {
        throw .unknownName(place: place, name: base, presets: presets)
      }
      try apply(path, chain: chain)
    }
    try configuration.visit(&reader)
    try reader.finish()
    places.merge(reader.places) { $1 }
  }

  /// Lays one `section.key=value` over the values.
  mutating func apply(override text: String) throws(ConfigurationError) {
    guard let equals = text.firstIndex(of: "=") else { throw .override(text: text) }
    let keys = text[..<equals].split(separator: ".", omittingEmptySubsequences: false)
    guard keys.allSatisfy({ !$0.isEmpty && !$0.contains(" ") }) else { throw .override(text: text) }
    let source = ConfigurationSource(name: "--set \(text)", hasLines: false)
    let value = try source.parse(String(text[text.index(after: equals)...])) ?? source.empty
    let node = source.nested(keys.map(String.init), value)
    var reader = try ConfigurationReader(node, source: source)
    try configuration.visit(&reader)
    try reader.finish()
    places.merge(reader.places) { $1 }
  }

  private static func base(_ base: String, of nameOrPath: String) -> String {
    if RunConfiguration.presetNames.contains(base) || base.hasPrefix("/") { return base }
    let folder = (nameOrPath as NSString).deletingLastPathComponent
    return folder.isEmpty ? base : "\(folder)/\(base)"
  }

  private static func read(
    _ nameOrPath: String
  ) throws(ConfigurationError) -> (ConfigurationSource, String) {
    if let text = try? RunConfiguration.presetText(nameOrPath) {
      return (ConfigurationSource(name: "preset \(nameOrPath)", hasLines: true), text)
    }
    guard FileManager.default.fileExists(atPath: nameOrPath) else {
      throw .unknownName(place: nil, name: nameOrPath, presets: RunConfiguration.presetNames)
    }
    guard let content = FileManager.default.contents(atPath: nameOrPath) else {
      throw .unreadable(path: nameOrPath, reason: "cannot be read; give a YAML file")
    }
    guard let text = String(validating: content, as: UTF8.self) else {
      throw .unreadable(path: nameOrPath, reason: "is not UTF-8 text; give a YAML file")
    }
    return (ConfigurationSource(name: nameOrPath, hasLines: true), text)
  }
}
