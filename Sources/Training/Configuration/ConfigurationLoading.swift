import Formats
import Foundation
import Settings

/// A whole configuration, as a preset or a file gives it.
protocol ConfigurationRoot: SettingsSection {
  /// The values of a file that gives none.
  init()
  /// Which presets are of this kind.
  static var kind: Preset.Kind { get }
  /// Fills in values that follow from others.
  mutating func complete()
  /// What no single key can know: keys with the reason why their values do not go together.
  func conflicts() -> [(key: String, reason: String)]
}

extension ConfigurationRoot {
  /// Loads with the surroundings as parameters.
  ///
  /// - Parameter faults: Gets all that is wrong with single keys; nil throws the first fault.
  static func load(
    _ nameOrPath: String, overrides: [String], environment: [String: String], directory: String,
    faults: ConfigurationFaults? = nil
  ) throws(ConfigurationError) -> Self {
    var loading = ConfigurationLoading<Self>(faults: faults)
    try loading.apply(nameOrPath, chain: [])
    for override in overrides {
      do throws(ConfigurationError) {
        try loading.apply(override: override)
      } catch {
        guard let faults else { throw error }
        faults.add(error)
      }
    }
    var configuration = loading.configuration
    var resolver = PathResolver(
      environment: environment, directory: directory, places: loading.places, faults: faults)
    try configuration.visit(&resolver)
    configuration.complete()
    for (key, reason) in configuration.conflicts() {
      let error = ConfigurationError.conflict(
        place: loading.places[key] ?? ConfigurationPlace(nameOrPath), key: key, reason: reason)
      guard let faults else { throw error }
      faults.add(error)
    }
    return configuration
  }

  /// Loads with the surroundings of the process as far as it goes.
  ///
  /// - Returns: The configuration, a key with a fault as if it were not given, and all faults.
  /// - Throws: ``ConfigurationError`` when the file is missing or no YAML.
  static func loadWhole(
    _ nameOrPath: String, overrides: [String]
  ) throws -> (configuration: Self, faults: [ConfigurationError]) {
    let faults = ConfigurationFaults()
    let configuration = try load(
      nameOrPath, overrides: overrides, environment: ProcessInfo.processInfo.environment,
      directory: FileManager.default.currentDirectoryPath, faults: faults)
    return (configuration, faults.list)
  }

  /// Loads with the surroundings of the process.
  static func loaded(_ nameOrPath: String, overrides: [String]) throws -> Self {
    try load(
      nameOrPath, overrides: overrides, environment: ProcessInfo.processInfo.environment,
      directory: FileManager.default.currentDirectoryPath)
  }

  /// Every key written out.
  func text() -> String {
    var copy = self
    var writer = ConfigurationWriter()
    copy.visit(&writer)
    return writer.text
  }
}

/// A configuration that texts are laid over, one after the other.
private struct ConfigurationLoading<Root: ConfigurationRoot> {
  /// The values so far.
  var configuration = Root()
  /// Where each of them was written.
  var places: [String: ConfigurationPlace] = [:]
  /// Gets what is wrong with single keys; nil throws.
  let faults: ConfigurationFaults?

  init(faults: ConfigurationFaults?) { self.faults = faults }

  /// Lays a preset or file over the values, its base first.
  mutating func apply(_ nameOrPath: String, chain: [String]) throws(ConfigurationError) {
    let (source, text) = try Self.read(nameOrPath)
    let chain = chain + [source.name]
    let root = try source.parse(text) ?? source.empty
    if root["images"] != nil, root["annotations"] != nil || root["categories"] != nil {
      throw .unreadable(
        path: nameOrPath,
        reason: "is a file of annotations and no configuration; 'baron init --annotations "
          + "\(nameOrPath)' writes one for it")
    }
    var reader = try ConfigurationReader(root, source: source, faults: faults)
    var base = ""
    try reader.field(
      "base", &base, ValueRule("the name of a preset or the path of a file") { _ in true })
    if !base.isEmpty {
      let path = Self.base(base, of: nameOrPath)
      let place = reader.places["base"] ?? ConfigurationPlace(source.name)
      if chain.contains(path) || chain.contains("preset \(path)") {
        throw .circularBase(place: place, name: base)
      }
      let presets = Self.presets
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
    var reader = try ConfigurationReader(node, source: source, faults: faults)
    try configuration.visit(&reader)
    try reader.finish()
    places.merge(reader.places) { $1 }
  }

  private static var presets: [String] { Preset.names(of: Root.kind) }

  private static func base(_ base: String, of nameOrPath: String) -> String {
    if presets.contains(base) || base.hasPrefix("/") { return base }
    let folder = (nameOrPath as NSString).deletingLastPathComponent
    return folder.isEmpty ? base : "\(folder)/\(base)"
  }

  private static var largestFile: Int { 1 << 20 }

  private static func read(
    _ nameOrPath: String
  ) throws(ConfigurationError) -> (ConfigurationSource, String) {
    if let text = Preset.all.first(where: { $0.kind == Root.kind && $0.name == nameOrPath })?.text {
      return (ConfigurationSource(name: "preset \(nameOrPath)", hasLines: true), text)
    }
    guard RegularFile.exists(nameOrPath) else {
      throw .unknownName(place: nil, name: nameOrPath, presets: presets)
    }
    do {
      let text = try RegularFile.text(nameOrPath, limit: largestFile)
      return (ConfigurationSource(name: nameOrPath, hasLines: true), text)
    } catch {
      let reason = (error as? FormatError)?.reason ?? "cannot be read"
      throw .unreadable(path: nameOrPath, reason: "\(reason); give a YAML file")
    }
  }
}
