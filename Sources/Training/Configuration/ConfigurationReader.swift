import Settings
import Yams

/// A text that configuration values come from.
struct ConfigurationSource: Sendable {
  /// The file's path, `preset NAME` or `--set KEY=VALUE`.
  let name: String
  /// Whether errors tell line and column.
  let hasLines: Bool

  /// The place of a node.
  func place(_ node: Node) -> ConfigurationPlace {
    guard hasLines, let mark = node.mark else { return ConfigurationPlace(name) }
    return ConfigurationPlace(name, line: mark.line, column: mark.column)
  }

  /// Parses YAML.
  ///
  /// - Returns: The root, or nil for an empty text.
  func parse(_ text: String) throws(ConfigurationError) -> Node? {
    do {
      return try Yams.compose(yaml: text)
    } catch let error as YamlError {
      throw syntaxError(error, in: text)
    } catch {
      throw .syntax(place: ConfigurationPlace(name), reason: "\(error)")
    }
  }

  /// What an empty text holds: a value that no key takes, and a section without keys.
  var empty: Node { Node("", .implicit, .plain) }

  /// A value inside sections of the given names.
  func nested(_ keys: [String], _ value: Node) -> Node {
    keys.reversed().reduce(value) { Node([(Node($1), $0)]) }
  }

  /// Whether a tab stands where the parser stopped, which nobody sees.
  private static func isTab(_ mark: Mark, in text: String) -> Bool {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.indices.contains(mark.line - 1) else { return false }
    return lines[mark.line - 1].dropFirst(mark.column - 1).first == "\t"
  }

  private func syntaxError(_ error: YamlError, in text: String) -> ConfigurationError {
    func at(_ mark: Mark) -> ConfigurationPlace {
      hasLines
        ? ConfigurationPlace(name, line: mark.line, column: mark.column) : ConfigurationPlace(name)
    }
    return switch error {
    case .scanner(_, let problem, let mark, _) where Self.isTab(mark, in: text):
      .syntax(place: at(mark), reason: "\(problem): a tab stands here; indent with blanks")
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      .syntax(place: at(mark), reason: problem)
    case .reader(let problem, let offset, _, _):
      .syntax(
        place: ConfigurationPlace(name),
        reason: offset.map { "\(problem) at byte \($0)" } ?? problem)
    case .duplicatedKeysInMapping(let duplicates, let context):
      .syntax(
        place: at(context.mark),
        reason: "the key \(duplicates.sorted().joined(separator: ", ")) stands twice in one section"
      )
    default:
      .syntax(place: ConfigurationPlace(name), reason: "the parser failed")
    }
  }
}

extension SettingsNode {
  /// What a YAML node says.
  init(_ node: Node) {
    switch node {
    case .scalar(let scalar):
      self = .text(scalar.string, isQuoted: scalar.style != .plain && scalar.style != .any)
    case .sequence(let elements): self = .list(elements.map { SettingsNode($0) })
    case .mapping(let entries):
      self = .section(entries.map { ($0.key.scalar?.string ?? "", SettingsNode($0.value)) })
    case .alias: self = .section([])
    }
  }
}

/// What is wrong with a configuration, where not only the first fault is wanted.
final class ConfigurationFaults {
  private(set) var list: [ConfigurationError] = []

  func add(_ error: ConfigurationError) { list.append(error) }
}

/// Overwrites the values of a section with those that a YAML node holds and leaves the others.
struct ConfigurationReader: KeyVisitor {
  typealias Failure = ConfigurationError

  /// Where each value that was read stands, by its whole key.
  private(set) var places: [String: ConfigurationPlace] = [:]
  private let source: ConfigurationSource
  private let name: String
  private let entries: [(key: Node, value: Node)]
  private var valid: [String] = []
  private let faults: ConfigurationFaults?

  /// Starts a section; `faults` gets what is wrong with it, without it the first fault is thrown.
  init(
    _ node: Node, source: ConfigurationSource, name: String = "", faults: ConfigurationFaults? = nil
  ) throws(ConfigurationError) {
    self.source = source
    self.name = name
    self.faults = faults
    // A section whose keys are all commented out is an empty scalar.
    if let scalar = node.scalar, scalar.style == .plain, scalar.string.isEmpty {
      entries = []
      return
    }
    guard let mapping = node.mapping else {
      let error = ConfigurationError.value(
        place: source.place(node), key: name.isEmpty ? "the configuration" : name,
        expected: "a section of keys", found: Self.text(of: node))
      guard let faults else { throw error }
      faults.add(error)
      entries = []
      return
    }
    entries = mapping.map { ($0.key, $0.value) }
  }

  mutating func section<Section: SettingsSection>(
    _ key: String, _ value: inout Section
  ) throws(ConfigurationError) {
    guard let node = take(key) else { return }
    var child = try ConfigurationReader(
      node, source: source, name: whole(key), faults: faults)
    try value.visit(&child)
    try child.finish()
    places.merge(child.places) { $1 }
  }

  mutating func field<Value: SettingsValue>(
    _ key: String, _ value: inout Value, _ rule: ValueRule<Value>
  ) throws(ConfigurationError) {
    guard let node = take(key) else { return }
    let place = source.place(node)
    guard let found = Value(node: SettingsNode(node)), rule.accepts(found) else {
      return try report(
        .value(
          place: place, key: whole(key), expected: rule.expected, found: Self.text(of: node)))
    }
    value = found
    places[whole(key)] = place
  }

  mutating func path(
    _ key: String, _ value: inout String, except names: [String]
  ) throws(ConfigurationError) {
    let words = names.map { ", or \($0)" }.joined()
    try field(key, &value, ValueRule("the path of a file or folder\(words)") { _ in true })
  }

  /// Checks that nothing is left over.
  func finish() throws(ConfigurationError) {
    for entry in entries where !valid.contains(entry.key.scalar?.string ?? "") {
      try report(
        .unknownKey(
          place: source.place(entry.key), section: name,
          key: entry.key.scalar?.string ?? Self.text(of: entry.key), valid: valid))
    }
  }

  private func report(_ error: ConfigurationError) throws(ConfigurationError) {
    guard let faults else { throw error }
    faults.add(error)
  }

  private func whole(_ key: String) -> String { name.isEmpty ? key : "\(name).\(key)" }

  private mutating func take(_ key: String) -> Node? {
    valid.append(key)
    return entries.first { $0.key.scalar?.string == key }?.value
  }

  /// A node in a few characters, for messages.
  private static func text(of node: Node) -> String {
    switch node {
    case .scalar(let scalar):
      return scalar.string.isEmpty ? "empty" : "\"\(shortened(scalar.string))\""
    case .sequence(let elements):
      let inner = elements.map { $0.scalar?.string ?? "…" }.joined(separator: ", ")
      return "[\(shortened(inner))]"
    case .mapping:
      return "a section of keys"
    case .alias:
      return "an alias"
    }
  }

  private static func shortened(_ text: String) -> String {
    let line = text.map { $0.isNewline ? " " : String($0) }.joined()
    return line.count > 60 ? line.prefix(60) + "…" : line
  }
}
