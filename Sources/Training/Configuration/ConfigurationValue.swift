import Formats
import Yams

/// A value that stands behind a key.
protocol ConfigurationValue: Sendable, Equatable {
  /// For "must be …", when there is no range.
  static var expectation: String { get }
  /// The value of a node, or nil when the node is of another kind.
  init?(node: Node)
  /// The YAML text, on one line.
  var yaml: String { get }
}

extension Node {
  /// The text of a scalar without quotes, or nil.
  fileprivate var plainText: String? {
    guard let scalar, scalar.style == .plain || scalar.style == .any else { return nil }
    return scalar.string
  }
}

extension Int: ConfigurationValue {
  static var expectation: String { "a whole number" }

  /// Decimal digits with an optional sign; underscores may group them.
  init?(node: Node) {
    guard let text = node.plainText else { return nil }
    self.init(text.filter { $0 != "_" })
  }

  var yaml: String { String(self) }
}

extension Double: ConfigurationValue {
  static var expectation: String { "a number" }

  /// A finite decimal number; underscores may group its digits.
  init?(node: Node) {
    guard let text = node.plainText, text.allSatisfy({ "0123456789+-.eE_".contains($0) }),
      let value = Double(text.filter { $0 != "_" }), value.isFinite
    else { return nil }
    self = value
  }

  var yaml: String { "\(self)" }
}

extension Bool: ConfigurationValue {
  static var expectation: String { "true or false" }

  init?(node: Node) {
    switch node.plainText {
    case "true": self = true
    case "false": self = false
    default: return nil
    }
  }

  var yaml: String { self ? "true" : "false" }
}

extension String: ConfigurationValue {
  static var expectation: String { "a text" }

  init?(node: Node) {
    guard let text = node.scalar?.string else { return nil }
    self = text
  }

  /// In double quotes; the escapes of JSON are those of YAML.
  var yaml: String { JSONValue.string(self).text() }
}

extension Array: ConfigurationValue where Element: ConfigurationValue {
  static var expectation: String { "a list, each value \(Element.expectation)" }

  init?(node: Node) {
    guard let sequence = node.sequence else { return nil }
    let elements = sequence.compactMap { Element(node: $0) }
    guard elements.count == sequence.count else { return nil }
    self = elements
  }

  var yaml: String { "[" + map(\.yaml).joined(separator: ", ") + "]" }
}

/// A value that is one of a few words.
protocol ConfigurationChoice: ConfigurationValue, CaseIterable, RawRepresentable<String> {}

extension ConfigurationChoice {
  static var expectation: String {
    let words = allCases.map(\.rawValue)
    return words.count == 1 ? words[0] : "one of \(words.joined(separator: ", "))"
  }

  init?(node: Node) {
    guard let word = node.scalar?.string else { return nil }
    self.init(rawValue: word)
  }

  var yaml: String { rawValue }
}
