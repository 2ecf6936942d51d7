import Foundation
import Settings

/// The keys of a configuration with their values, as YAML writes them.
package struct ConfigurationKeys: Sendable, Equatable {
  /// One key.
  package struct Entry: Sendable, Equatable {
    /// The whole key, `training.iterations` for example.
    package let key: String
    /// The value, on one line.
    package let value: String
    /// Whether it is the path of a file or folder.
    package let isPath: Bool
  }

  /// All keys, in the order in which they are written.
  package let entries: [Entry]

  /// Lists the keys of a configuration.
  ///
  /// - Parameter root: The configuration.
  package init(_ root: some SettingsSection) {
    var root = root
    var lister = KeyLister()
    root.visit(&lister)
    entries = lister.entries
  }

  /// A key whose values differ between two configurations.
  package struct Difference: Sendable, Equatable {
    /// The whole key.
    package let key: String
    /// The value here.
    package let value: String
    /// The value there.
    package let other: String
  }

  /// The keys that differ from another configuration of the same kind.
  ///
  /// - Parameters:
  ///   - other: The other one.
  ///   - paths: Whether places of files count too.
  package func differences(from other: ConfigurationKeys, paths: Bool) -> [Difference] {
    let there = Dictionary(other.entries.map { ($0.key, $0.value) }) { first, _ in first }
    return entries.compactMap { entry in
      guard paths || !entry.isPath, let value = there[entry.key], value != entry.value else {
        return nil
      }
      return Difference(key: entry.key, value: entry.value, other: value)
    }
  }
}

extension RunConfiguration {
  /// The preset that the configuration comes closest to, places of files aside.
  ///
  /// - Returns: Its name and the keys that differ from it; nil when no preset can be read.
  package func nearestPreset() -> (name: String, differences: [ConfigurationKeys.Difference])? {
    let own = ConfigurationKeys(self)
    // Which files a preset names does not matter here.
    var environment = ProcessInfo.processInfo.environment
    environment["BARON_SHARED"] = environment["BARON_SHARED"] ?? "/"
    return Preset.names(of: .train).compactMap { name in
      guard
        let preset = try? RunConfiguration.load(
          name, overrides: [], environment: environment,
          directory: FileManager.default.currentDirectoryPath)
      else { return nil }
      return (name, own.differences(from: ConfigurationKeys(preset), paths: false))
    }.min { $0.1.count < $1.1.count }
  }
}

private struct KeyLister: KeyVisitor {
  typealias Failure = Never

  var entries: [ConfigurationKeys.Entry] = []
  private var names: [String] = []

  private mutating func add(_ key: String, _ value: String, isPath: Bool) {
    entries.append(
      .init(key: (names + [key]).joined(separator: "."), value: value, isPath: isPath))
  }

  mutating func section<Section: SettingsSection>(_ key: String, _ value: inout Section) {
    names.append(key)
    value.visit(&self)
    names.removeLast()
  }

  mutating func field<Value: SettingsValue>(
    _ key: String, _ value: inout Value, _ rule: ValueRule<Value>
  ) {
    add(key, value.settingText, isPath: false)
  }

  mutating func path(_ key: String, _ value: inout String, except words: [String]) {
    add(key, value.settingText, isPath: !words.contains(value))
  }
}
