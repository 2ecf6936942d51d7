/// Something that walks the keys of a section: reads, writes or completes them.
///
/// A section names each key once, in ``ConfigurationSection/visit(_:)``; every visitor uses that list.
protocol KeyVisitor {
  /// What the visitor may throw.
  associatedtype Failure: Error

  /// A section inside this one.
  mutating func section<Section: ConfigurationSection>(
    _ key: String, _ value: inout Section
  ) throws(Failure)

  /// A value with the range that it must lie in.
  mutating func field<Value: ConfigurationValue>(
    _ key: String, _ value: inout Value, _ rule: ValueRule<Value>
  ) throws(Failure)

  /// The path of a file or folder, empty for none; the words in `names` are no paths.
  mutating func path(
    _ key: String, _ value: inout String, except names: [String]
  ) throws(Failure)
}

extension KeyVisitor {
  /// A value whose type alone says what is allowed.
  mutating func field<Value: ConfigurationValue>(
    _ key: String, _ value: inout Value
  ) throws(Failure) {
    try field(key, &value, ValueRule(Value.expectation) { _ in true })
  }

  /// The path of a file or folder, empty for none.
  mutating func path(_ key: String, _ value: inout String) throws(Failure) {
    try path(key, &value, except: [])
  }
}

/// A group of keys.
protocol ConfigurationSection: Sendable, Equatable {
  /// Shows every key to the visitor, in the order in which they are written.
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure)
}

/// What a value must fulfil beyond its type, in words and as a test.
struct ValueRule<Value: ConfigurationValue> {
  /// For "must be …".
  let expected: String
  /// Whether a value is allowed.
  let accepts: (Value) -> Bool

  init(_ expected: String, accepts: @escaping (Value) -> Bool) {
    self.expected = expected
    self.accepts = accepts
  }
}

extension ValueRule where Value == Int {
  /// A whole number in a range.
  static func whole(_ range: ClosedRange<Int>) -> Self {
    Self("a whole number from \(range.lowerBound) to \(range.upperBound)") { range.contains($0) }
  }

  /// A whole number from a bound on.
  static func atLeast(_ bound: Int) -> Self {
    Self("a whole number of at least \(bound)") { $0 >= bound }
  }
}

extension ValueRule where Value == Double {
  /// A number in a range.
  static func number(_ range: ClosedRange<Double>) -> Self {
    let bounds = [range.lowerBound, range.upperBound].map { Int(exactly: $0)?.yaml ?? $0.yaml }
    return Self("a number from \(bounds[0]) to \(bounds[1])") { range.contains($0) }
  }

  /// A number above 0.
  static var positive: Self { Self("a number above 0") { $0 > 0 } }

  /// 0 or a number above it.
  static var notNegative: Self { Self("a number of at least 0") { $0 >= 0 } }

  /// Any finite number.
  static var finite: Self { Self("a number") { _ in true } }
}

extension ValueRule {
  /// A list of so many values that each follow a rule.
  static func list<Element>(of count: Int, _ rule: ValueRule<Element>) -> Self
  where Value == [Element] {
    Self("a list of \(count) values, each \(rule.expected)") {
      $0.count == count && $0.allSatisfy(rule.accepts)
    }
  }

  /// A list of any number of values, though at least `least`, that each follow a rule.
  static func list<Element>(atLeast least: Int, _ rule: ValueRule<Element>) -> Self
  where Value == [Element] {
    Self("a list\(least > 0 ? " of at least \(least)" : ""), each value \(rule.expected)") {
      $0.count >= least && $0.allSatisfy(rule.accepts)
    }
  }
}

extension ValueRule where Value == [String] {
  /// Sentences that each have a place for a class name.
  static var templates: Self {
    Self("a list of sentences, each with {name} in the place of the class name") {
      $0.allSatisfy { $0.contains("{name}") }
    }
  }
}
