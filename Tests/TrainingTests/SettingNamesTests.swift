import Settings
import Testing

@testable import Training

/// Collects the keys that differ from the properties behind them.
private struct NameChecker: KeyVisitor {
  typealias Failure = Never

  var wrong: [String] = []
  var keyCount = 0
  private var allowed: Set<String> = []

  /// The properties of a section, in lower_snake_case; those of parts that have no key of their own
  /// count as the section's.
  private static func names(of section: Any) -> Set<String> {
    var names: Set<String> = []
    for child in Mirror(reflecting: section).children {
      guard let label = child.label else { continue }
      let words = label.replacing(/([a-z0-9])([A-Z])/) { "\($0.1)_\($0.2)" }
        .replacing(/([A-Z]+)([A-Z][a-z])/) { "\($0.1)_\($0.2)" }
      names.insert(words.lowercased())
      if child.value is any SettingsSection { names.formUnion(Self.names(of: child.value)) }
    }
    return names
  }

  mutating func start(_ section: Any) { allowed = Self.names(of: section) }

  private mutating func check(_ key: String) {
    keyCount += 1
    if !allowed.contains(key) { wrong.append(key) }
  }

  mutating func section<Section: SettingsSection>(_ key: String, _ value: inout Section) {
    check(key)
    let outer = allowed
    start(value)
    value.visit(&self)
    allowed = outer
  }

  mutating func field<Value: SettingsValue>(
    _ key: String, _ value: inout Value, _ rule: ValueRule<Value>
  ) {
    check(key)
  }

  mutating func path(_ key: String, _ value: inout String, except names: [String]) { check(key) }
}

@Suite("Names of settings")
struct SettingNamesTests {
  private func check(_ root: some SettingsSection, atLeast count: Int) {
    var (root, checker) = (root, NameChecker())
    checker.start(root)
    root.visit(&checker)
    #expect(checker.wrong.isEmpty, "\(checker.wrong)")
    #expect(checker.keyCount >= count, "\(checker.keyCount) keys")
  }

  @Test func everyKeyIsTheNameOfItsProperty() {
    check(RunConfiguration(), atLeast: 100)
    check(CLIPTrainingConfiguration(), atLeast: 35)
    check(DemoConfiguration(), atLeast: 12)
  }
}
