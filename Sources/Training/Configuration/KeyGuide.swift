import Foundation
import Settings

/// Everything that is known of the keys of a configuration, from the one place where each is defined:
/// its property with default, comment and rule, and the presets with their remarks.
package struct KeyGuide: Sendable {
  /// One key.
  package struct Entry: Sendable, Equatable {
    /// The whole key, `optimizer.rate` for example.
    package let key: String
    /// What it does.
    package let document: String
    /// What is allowed, in words.
    package let allowed: String
    /// The value of a file that gives none, as YAML.
    package let usual: String
    /// What each choice means, where there are choices.
    package let choices: [String]
    /// Whether it is the path of a file or folder.
    package let isPath: Bool
    /// The remark that presets have behind it, its unit for example; empty for none.
    package internal(set) var remark = ""
    /// The presets that give another value, and that value.
    package internal(set) var presets: [(name: String, value: String)] = []

    package static func == (first: Entry, second: Entry) -> Bool { first.key == second.key }

    /// The entry for people, several lines.
    package var text: String {
      var lines = [key, "  \(document)"]
      if !remark.isEmpty, !isPath { lines.append("  unit      \(remark)") }
      lines.append("  allowed   \(allowed)")
      lines += choices.map { "            \($0)" }
      lines.append("  default   \(usual)")
      if isPath, !presets.isEmpty {
        lines.append("  presets   " + presets.map(\.name).joined(separator: ", ") + " give a path")
      } else if !presets.isEmpty {
        lines += Self.grouped(presets).enumerated().map { number, group in
          (number == 0 ? "  presets   " : "            ")
            + "\(group.value): \(group.names.joined(separator: ", "))"
        }
      }
      return lines.joined(separator: "\n")
    }

    private static func grouped(
      _ presets: [(name: String, value: String)]
    ) -> [(value: String, names: [String])] {
      var groups: [(value: String, names: [String])] = []
      for (name, value) in presets {
        if let place = groups.firstIndex(where: { $0.value == value }) {
          groups[place].names.append(name)
        } else {
          groups.append((value, [name]))
        }
      }
      return groups
    }
  }

  /// The keys in the order in which a configuration is written.
  package let entries: [Entry]

  /// Collects the keys of a kind of configuration.
  ///
  /// - Parameter kind: What the configuration is for.
  package init(_ kind: Preset.Kind) {
    switch kind {
    case .train: self.init(RunConfiguration(), kind)
    case .clip: self.init(CLIPTrainingConfiguration(), kind)
    case .demo: self.init(DemoConfiguration(), kind)
    }
  }

  private init<Root: ConfigurationRoot>(_ root: Root, _ kind: Preset.Kind) {
    var (root, collector) = (root, KeyCollector())
    collector.walk(&root)
    var entries = collector.entries
    for preset in Preset.all where preset.kind == kind {
      let remarks = PresetRemarks(preset.text)
      // Paths are not looked at, so that no environment matters.
      let values = Root.values(ofPreset: preset.name)
      for place in entries.indices {
        let key = entries[place].key
        if entries[place].remark.isEmpty { entries[place].remark = remarks[key] ?? "" }
        guard let value = values[key], value != entries[place].usual else { continue }
        entries[place].presets.append((preset.name, value))
      }
    }
    self.entries = entries
  }

  /// The whole keys of a detector's and a CLIP model's configuration whose last part is a name.
  static func keys(called name: String) -> [String] {
    func keys<Root: ConfigurationRoot>(_ root: Root) -> [String] {
      var (root, collector) = (root, KeyCollector())
      collector.walk(&root)
      return collector.entries.map(\.key).filter { $0.hasSuffix(".\(name)") }
    }
    let found = keys(RunConfiguration())
    return found.isEmpty ? keys(CLIPTrainingConfiguration()) : found
  }

  /// The keys that a text means: a whole key, a section with all its keys, or the last part of keys.
  ///
  /// - Parameter text: What a user typed.
  /// - Returns: The keys; empty when there are none.
  package func entries(for text: String) -> [Entry] {
    if let exact = entries.first(where: { $0.key == text }) { return [exact] }
    let section = entries.filter { $0.key.hasPrefix(text + ".") }
    return section.isEmpty ? entries.filter { $0.key.hasSuffix("." + text) } : section
  }

  /// The key that a misspelt one was meant to be.
  ///
  /// - Parameter text: What a user typed.
  package func nearest(to text: String) -> String? {
    NearestKey.of(text, among: entries.map(\.key))
  }

  /// All keys as a table of Markdown.
  package var markdown: String {
    var lines = ["| key | what it does | allowed | default |", "| --- | --- | --- | --- |"]
    for entry in entries {
      let cells = [
        "`\(entry.key)`", entry.document, entry.allowed,
        entry.usual == "\"\"" ? "empty" : "`\(entry.usual)`",
      ]
      lines.append(
        "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

/// Collects keys with their defaults, rules and comments.
private struct KeyCollector: KeyVisitor {
  typealias Failure = Never

  private(set) var entries: [KeyGuide.Entry] = []
  private var names: [String] = []
  /// The types whose properties the keys of the section are.
  private var types: [String] = []

  mutating func walk<Section: SettingsSection>(_ section: inout Section) {
    let outer = types
    types = Self.types(of: section)
    section.visit(&self)
    types = outer
  }

  mutating func section<Section: SettingsSection>(_ key: String, _ value: inout Section) {
    names.append(key)
    walk(&value)
    names.removeLast()
  }

  mutating func field<Value: SettingsValue>(
    _ key: String, _ value: inout Value, _ rule: ValueRule<Value>
  ) {
    add(
      key, usual: value.settingText, allowed: rule.expected, choices: Self.choices(Value.self),
      isPath: false)
  }

  mutating func path(_ key: String, _ value: inout String, except names: [String]) {
    add(
      key, usual: value.settingText,
      allowed: "the path of a file or folder" + names.map { ", or \($0)" }.joined(), choices: [],
      isPath: true)
  }

  private mutating func add(
    _ key: String, usual: String, allowed: String, choices: [String], isPath: Bool
  ) {
    let property = Self.camel(key)
    let document = types.lazy.compactMap { settingDocuments["\($0).\(property)"] }.first ?? ""
    entries.append(
      .init(
        key: (names + [key]).joined(separator: "."), document: Self.plain(document),
        allowed: allowed, usual: usual, choices: choices, isPath: isPath))
  }

  /// A section's type, then those of its parts that have no key of their own.
  private static func types(of section: Any) -> [String] {
    [name(of: type(of: section))]
      + Mirror(reflecting: section).children.compactMap { child in
        child.value is any SettingsSection ? child.value : nil
      }.map { name(of: type(of: $0)) }
  }

  /// A type's name without its module.
  private static func name(of type: Any.Type) -> String {
    let whole = String(reflecting: type)
    return String(whole.drop { $0 != "." }.dropFirst())
  }

  private static func choices<Value>(_ type: Value.Type) -> [String] {
    guard let choice = type as? any SettingsChoice.Type else { return [] }
    func texts<Choice: SettingsChoice>(_ choice: Choice.Type) -> [String] {
      choice.allCases.compactMap { word in
        settingDocuments["\(name(of: choice)).\(word.rawValue)"]
          .map { "\(word.rawValue): \(plain($0))" }
      }
    }
    return texts(choice)
  }

  private static func camel(_ key: String) -> String {
    let words = key.split(separator: "_")
    // Acronyms are written large: pre_nms_train is preNMSTrain.
    return words.enumerated().map { place, word in
      if word == "nms", place > 0 { return "NMS" }
      return place == 0 ? String(word) : word.prefix(1).uppercased() + word.dropFirst()
    }.joined()
  }

  /// A comment of the sources in a user's words: keys instead of properties, no places of the
  /// specification.
  private static func plain(_ document: String) -> String {
    var text = document.replacing(/\ ?\((?:column [A-Z] of )?spec [^)]*\)/, with: "")
    text = text.replacing(/``([^`]+)``/) { match in
      let name = match.output.1.split(separator: "/").last.map(String.init) ?? ""
      return String(name.prefix { $0 != "(" }).replacing(/([a-z0-9])([A-Z])/) {
        "\($0.output.1)_\($0.output.2)"
      }.lowercased()
    }
    return text.replacing("`", with: "")
  }
}

extension ConfigurationRoot {
  /// The values of a preset by key, without looking at paths.
  fileprivate static func values(ofPreset name: String) -> [String: String] {
    guard
      let configuration = try? load(
        name, overrides: [], environment: [:], directory: "", faults: ConfigurationFaults())
    else { return [:] }
    var (copy, flat) = (configuration, FlatValues())
    copy.visit(&flat)
    return flat.values
  }
}

/// Every value by its whole key.
private struct FlatValues: KeyVisitor {
  typealias Failure = Never

  private(set) var values: [String: String] = [:]
  private var names: [String] = []

  mutating func section<Section: SettingsSection>(_ key: String, _ value: inout Section) {
    names.append(key)
    value.visit(&self)
    names.removeLast()
  }

  mutating func field<Value: SettingsValue>(
    _ key: String, _ value: inout Value, _ rule: ValueRule<Value>
  ) {
    values[(names + [key]).joined(separator: ".")] = value.settingText
  }

  mutating func path(_ key: String, _ value: inout String, except names: [String]) {
    values[(self.names + [key]).joined(separator: ".")] = value.settingText
  }
}

/// The remarks behind the values of a preset's text, by key.
private struct PresetRemarks {
  private var remarks: [String: String] = [:]

  init(_ text: String) {
    var path: [(indent: Int, key: String)] = []
    for line in text.split(separator: "\n") {
      let indent = line.prefix { $0 == " " }.count
      let content = line.dropFirst(indent)
      guard let colon = content.firstIndex(of: ":"), !content.hasPrefix("#") else { continue }
      path.removeAll { $0.indent >= indent }
      path.append((indent, String(content[..<colon])))
      guard let range = content.range(of: " # ") else { continue }
      remarks[path.map(\.key).joined(separator: ".")] =
        content[range.upperBound...].trimmingCharacters(in: .whitespaces)
    }
  }

  subscript(key: String) -> String? { remarks[key] }
}
