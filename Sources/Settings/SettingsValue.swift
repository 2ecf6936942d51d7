import Formats

/// A value as it was written, whatever the notation.
package enum SettingsNode {
  /// A text; numbers, words and truth values only count where it is not quoted.
  case text(String, isQuoted: Bool)
  /// A list of values.
  case list([SettingsNode])
  /// Values by their keys, in the order of the text.
  case section([(key: String, value: SettingsNode)])

  /// The text of an unquoted scalar, or nil.
  package var plainText: String? {
    guard case .text(let text, isQuoted: false) = self else { return nil }
    return text
  }
}

/// A value that stands behind a key.
package protocol SettingsValue: Sendable, Equatable {
  /// For "must be …", when there is no range.
  static var expectation: String { get }
  /// The value of a node, or nil when the node is of another kind.
  init?(node: SettingsNode)
  /// How it is written, on one line of YAML.
  var settingText: String { get }
}

extension Int: SettingsValue {
  package static var expectation: String { "a whole number" }

  /// Decimal digits with an optional sign; underscores may group them.
  package init?(node: SettingsNode) {
    guard let text = node.plainText else { return nil }
    self.init(text.filter { $0 != "_" })
  }

  package var settingText: String { String(self) }
}

extension Double: SettingsValue {
  package static var expectation: String { "a number" }

  /// A finite decimal number; underscores may group its digits.
  package init?(node: SettingsNode) {
    guard let text = node.plainText, text.allSatisfy({ "0123456789+-.eE_".contains($0) }),
      let value = Double(text.filter { $0 != "_" }), value.isFinite
    else { return nil }
    self = value
  }

  package var settingText: String { "\(self)" }
}

extension Float: SettingsValue {
  package static var expectation: String { Double.expectation }

  /// A decimal number that does not overflow; underscores may group its digits.
  package init?(node: SettingsNode) {
    guard let value = Double(node: node), Float(value).isFinite else { return nil }
    self.init(value)
  }

  package var settingText: String { "\(self)" }
}

extension Bool: SettingsValue {
  package static var expectation: String { "true or false" }

  package init?(node: SettingsNode) {
    switch node.plainText {
    case "true": self = true
    case "false": self = false
    default: return nil
    }
  }

  package var settingText: String { self ? "true" : "false" }
}

extension String: SettingsValue {
  package static var expectation: String { "a text" }

  package init?(node: SettingsNode) {
    guard case .text(let text, _) = node else { return nil }
    self = text
  }

  /// In double quotes; the escapes of JSON are those of YAML.
  package var settingText: String { JSONValue.string(self).text() }
}

extension Array: SettingsValue where Element: SettingsValue {
  package static var expectation: String { "a list, each value \(Element.expectation)" }

  package init?(node: SettingsNode) {
    guard case .list(let nodes) = node else { return nil }
    let elements = nodes.compactMap { Element(node: $0) }
    guard elements.count == nodes.count else { return nil }
    self = elements
  }

  package var settingText: String { "[" + map(\.settingText).joined(separator: ", ") + "]" }
}

/// A value that is one of a few words.
package protocol SettingsChoice: SettingsValue, CaseIterable, RawRepresentable<String> {}

extension SettingsChoice {
  package static var expectation: String { oneOf(allCases.map(\.rawValue)) }

  package init?(node: SettingsNode) {
    guard case .text(let word, _) = node else { return nil }
    self.init(rawValue: word)
  }

  package var settingText: String { rawValue }
}

/// A choice that may also be left out, which the word `none` says.
extension Optional: SettingsValue where Wrapped: SettingsChoice {
  private static var noChoice: String { "none" }

  package static var expectation: String {
    oneOf([Self.noChoice] + Wrapped.allCases.map(\.rawValue))
  }

  package init?(node: SettingsNode) {
    guard case .text(let word, _) = node else { return nil }
    if word == Self.noChoice {
      self = .none
    } else if let value = Wrapped(rawValue: word) {
      self = .some(value)
    } else {
      return nil
    }
  }

  package var settingText: String { self?.rawValue ?? Self.noChoice }
}

private func oneOf(_ words: [String]) -> String {
  words.count == 1 ? words[0] : "one of \(words.joined(separator: ", "))"
}
