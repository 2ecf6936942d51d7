import Formats

/// Something that a look at a configuration and its files found before the first step.
package struct Finding: Sendable, Equatable, CustomStringConvertible {
  /// What it means.
  package enum Severity: String, Sendable, CaseIterable, Comparable {
    /// Training cannot begin.
    case error
    /// Training goes on, with a worse result than could be.
    case warning
    /// Nothing is wrong, but it may not be meant.
    case note

    package static func < (first: Severity, second: Severity) -> Bool {
      let order = allCases
      return (order.firstIndex(of: first) ?? 0) < (order.firstIndex(of: second) ?? 0)
    }
  }

  /// What it means.
  package let severity: Severity
  /// The key of the configuration that it is about.
  package let key: String
  /// The path or value, what is wrong with it, and the remedy; one line.
  package let text: String
  /// Whether the text says the key itself, with its place in the configuration.
  private let namesKey: Bool

  package init(_ severity: Severity, _ key: String, _ text: String) {
    self.severity = severity
    self.key = key
    self.text = text
    namesKey = false
  }

  /// An error of reading what a key names; the key that it may name itself is not said twice.
  package init(_ key: String, _ error: any Error) {
    let text = "\(error)".replacing(" (\(key))", with: "")
    severity = .error
    self.key = key
    self.text =
      text.hasSuffix("no such file") ? "\(text); correct \(key) or put it there" : text
    namesKey = error is ConfigurationError
  }

  /// A key of the configuration that cannot be read as it is.
  init(_ fault: ConfigurationError, adding more: String = "") {
    severity = .error
    key = fault.key
    text = "\(fault)\(more)"
    namesKey = true
  }

  /// Key and text; the text alone where it begins with the place in the configuration.
  package var description: String { namesKey || key.isEmpty ? text : "\(key): \(text)" }

  /// For programs.
  package var json: JSONValue {
    ["severity": .string(severity.rawValue), "key": .string(key), "text": .string(text)]
  }
}
