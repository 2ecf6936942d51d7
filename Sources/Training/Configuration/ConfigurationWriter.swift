import Settings

/// Writes every key of a section as YAML.
struct ConfigurationWriter: KeyVisitor {
  typealias Failure = Never

  /// The text so far.
  private(set) var text = ""
  private var depth = 0

  mutating func section<Section: SettingsSection>(_ key: String, _ value: inout Section) {
    line("\(key):")
    depth += 1
    value.visit(&self)
    depth -= 1
  }

  mutating func field<Value: SettingsValue>(
    _ key: String, _ value: inout Value, _ rule: ValueRule<Value>
  ) {
    line("\(key): \(value.settingText)")
  }

  mutating func path(_ key: String, _ value: inout String, except names: [String]) {
    line("\(key): \(value.settingText)")
  }

  private mutating func line(_ content: String) {
    text += String(repeating: "  ", count: depth) + content + "\n"
  }
}
