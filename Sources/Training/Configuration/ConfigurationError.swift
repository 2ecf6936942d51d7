/// Where a value of a configuration was written.
package struct ConfigurationPlace: Sendable, Equatable, CustomStringConvertible {
  /// The file's path, `preset NAME` or `--set KEY=VALUE`.
  package let source: String
  /// The line, counted from 1; 0 when the source has no lines.
  package let line: Int
  /// The column in characters, counted from 1; 0 when the source has no lines.
  package let column: Int

  package init(_ source: String, line: Int = 0, column: Int = 0) {
    self.source = source
    self.line = line
    self.column = column
  }

  /// Source, line and column as errors print them.
  package var description: String {
    line == 0 ? source : "\(source): line \(line), column \(column)"
  }
}

/// Why a configuration cannot be used; the description is one line with place, key and remedy.
package enum ConfigurationError: Error, CustomStringConvertible, Equatable {
  /// Neither a preset nor a file has this name; `place` is where it was written, if in a file.
  case unknownName(place: ConfigurationPlace?, name: String, presets: [String])
  /// The file cannot be read.
  case unreadable(path: String, reason: String)
  /// The text is not YAML.
  case syntax(place: ConfigurationPlace, reason: String)
  /// An override is not of the form `section.key=value`.
  case override(text: String)
  /// A section has no such key; `section` is empty at the top.
  case unknownKey(place: ConfigurationPlace, section: String, key: String, valid: [String])
  /// A value has the wrong type or lies outside its range.
  case value(place: ConfigurationPlace, key: String, expected: String, found: String)
  /// Two values do not go together.
  case conflict(place: ConfigurationPlace, key: String, reason: String)
  /// A path names an environment variable that is not set.
  case unsetVariable(place: ConfigurationPlace, key: String, variable: String)
  /// Files start from each other in a circle.
  case circularBase(place: ConfigurationPlace, name: String)
  /// A key without which training is impossible is empty.
  case missing(key: String)

  /// One line: where, which key, what is wrong, what to do.
  package var description: String {
    switch self {
    case .unknownName(let place, let name, let presets):
      "\(place.map { "\($0): " } ?? "")there is no preset or file \"\(name)\""
        + "\(Self.hint(name, presets)) Presets: \(presets.joined(separator: ", "))"
    case .unreadable(let path, let reason):
      "\(path): \(reason)"
    case .syntax(let place, let reason):
      "\(place): this is not YAML: \(reason)"
    case .override(let text):
      "--set \(text): an override has the form section.key=value, "
        + "for example training.iterations=60"
    case .unknownKey(let place, let section, let key, let valid):
      "\(place): \(section.isEmpty ? "the configuration" : section) has no key "
        + "\"\(key)\"\(Self.hint(key, valid, whole: section.isEmpty)) Its keys: "
        + valid.joined(separator: ", ")
    case .value(let place, let key, let expected, let found):
      "\(place): \(key) must be \(expected), but is \(found)"
    case .conflict(let place, let key, let reason):
      "\(place): \(key) \(reason)"
    case .unsetVariable(let place, let key, let variable):
      "\(place): \(key) uses ${\(variable)}, but the environment variable \(variable) is not set; "
        + "set it or give \(key) a path without it"
    case .circularBase(let place, let name):
      "\(place): base \"\(name)\" leads back to this file; name a preset or another file"
    case .missing(let key):
      "training needs \(key), but it is empty; give it in the file or with --set \(key)=PATH"
    }
  }

  /// The name that is near; at the top also the key of a section that is called so.
  private static func hint(
    _ name: String, _ candidates: [String], whole: Bool = false
  ) -> String {
    let inner = whole ? KeyGuide.keys(called: name) : []
    let near = inner.isEmpty ? NearestKey.of(name, among: candidates).map { [$0] } ?? [] : inner
    guard !near.isEmpty else { return "." }
    return "; did you mean " + near.map { "\"\($0)\"" }.joined(separator: " or ") + "?"
  }
}

/// Finds the key that a misspelt one was meant to be.
enum NearestKey {
  /// The candidate with the smallest edit distance, when no more than two letters in five are wrong.
  static func of(_ name: String, among candidates: [String]) -> String? {
    let length = name.count
    // At least so many letters are wrong as one word is longer.
    let near = candidates.filter { 5 * abs($0.count - length) <= 2 * max($0.count, length) }
    let ranked = near.map { (key: $0, distance: distance(name, $0)) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    return 5 * best.distance <= 2 * max(best.key.count, length) ? best.key : nil
  }

  /// Insertions, deletions and replacements that turn one word into the other (Levenshtein).
  private static func distance(_ first: String, _ second: String) -> Int {
    let target = Array(second)
    var previous = Array(0...target.count)
    for (row, letter) in first.enumerated() {
      var current = [row + 1]
      for (column, other) in target.enumerated() {
        let replaced = previous[column] + (letter == other ? 0 : 1)
        current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
      }
      previous = current
    }
    return previous[target.count]
  }
}
