/// Something that walks the keys of a section: reads, writes or completes them.
///
/// A section names each key once, in ``SettingsSection/visit(_:)``; every visitor uses that list.
package protocol KeyVisitor {
  /// What the visitor may throw.
  associatedtype Failure: Error

  /// A section inside this one.
  mutating func section<Section: SettingsSection>(
    _ key: String, _ value: inout Section
  ) throws(Failure)

  /// A value with the range that it must lie in.
  mutating func field<Value: SettingsValue>(
    _ key: String, _ value: inout Value, _ rule: ValueRule<Value>
  ) throws(Failure)

  /// The path of a file or folder, empty for none; the words in `names` are no paths.
  mutating func path(
    _ key: String, _ value: inout String, except names: [String]
  ) throws(Failure)
}

extension KeyVisitor {
  /// A value whose type alone says what is allowed.
  package mutating func field<Value: SettingsValue>(
    _ key: String, _ value: inout Value
  ) throws(Failure) {
    try field(key, &value, ValueRule(Value.expectation) { _ in true })
  }

  /// The path of a file or folder, empty for none.
  package mutating func path(_ key: String, _ value: inout String) throws(Failure) {
    try path(key, &value, except: [])
  }
}

/// A group of keys.
package protocol SettingsSection: Sendable, Equatable {
  /// Shows every key to the visitor, in the order in which they are written.
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure)
}
