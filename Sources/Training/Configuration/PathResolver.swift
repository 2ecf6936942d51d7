import Foundation
import Settings

/// Replaces `${VARIABLE}` in paths and makes relative paths absolute.
struct PathResolver: KeyVisitor {
  typealias Failure = ConfigurationError

  /// The values of environment variables by name.
  let environment: [String: String]
  /// The absolute folder that relative paths start at.
  let directory: String
  /// Where each value was written.
  let places: [String: ConfigurationPlace]
  /// Gets what is wrong; nil throws the first fault.
  let faults: ConfigurationFaults?
  private var names: [String] = []

  init(
    environment: [String: String], directory: String, places: [String: ConfigurationPlace],
    faults: ConfigurationFaults? = nil
  ) {
    self.faults = faults
    self.environment = environment
    self.directory = directory
    self.places = places
  }

  mutating func section<Section: SettingsSection>(
    _ key: String, _ value: inout Section
  ) throws(ConfigurationError) {
    names.append(key)
    try value.visit(&self)
    names.removeLast()
  }

  mutating func field<Value: SettingsValue>(
    _ key: String, _ value: inout Value, _ rule: ValueRule<Value>
  ) {}

  mutating func path(
    _ key: String, _ value: inout String, except words: [String]
  ) throws(ConfigurationError) {
    guard !value.isEmpty, !words.contains(value) else { return }
    do throws(ConfigurationError) {
      value = try expanded(value, key: (names + [key]).joined(separator: "."))
    } catch {
      guard let faults else { throw error }
      faults.add(error)
      // Nothing more is to be said of a path that nobody knows.
      value = ""
      return
    }
    if !value.hasPrefix("/") { value = "\(directory)/\(value)" }
  }

  /// An unfinished `${` stays as it is: it may be part of a name.
  private func expanded(_ path: String, key: String) throws(ConfigurationError) -> String {
    var out = ""
    var rest = path[...]
    while let start = rest.range(of: "${"),
      let end = rest.range(of: "}", range: start.upperBound..<rest.endIndex)
    {
      let variable = String(rest[start.upperBound..<end.lowerBound])
      guard let value = environment[variable], !value.isEmpty else {
        throw .unsetVariable(
          place: places[key] ?? ConfigurationPlace("the configuration"), key: key,
          variable: variable)
      }
      out += rest[..<start.lowerBound] + value
      rest = rest[end.upperBound...]
    }
    return out + rest
  }
}
