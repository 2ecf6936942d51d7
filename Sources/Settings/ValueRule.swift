import Formats

/// What a value must fulfil beyond its type, in words and as a test.
package struct ValueRule<Value: SettingsValue> {
  /// For "must be …".
  package let expected: String
  /// Whether a value is allowed.
  package let accepts: (Value) -> Bool

  package init(_ expected: String, accepts: @escaping (Value) -> Bool) {
    self.expected = expected
    self.accepts = accepts
  }
}

extension ValueRule where Value == Int {
  /// A whole number in a range.
  package static func whole(_ range: ClosedRange<Int>) -> Self {
    Self("a whole number from \(range.lowerBound) to \(range.upperBound)") { range.contains($0) }
  }

  /// A whole number from a bound on, as large as what is counted can be: files and kernels count with
  /// 32 bits, and products of such numbers do not overflow.
  package static func atLeast(_ bound: Int) -> Self { whole(bound...Int(Int32.max)) }

  /// What a generator of random numbers starts from: a whole number that nothing is calculated with.
  package static var seed: Self { Self("a whole number of at least 0") { $0 >= 0 } }
}

extension ValueRule where Value: BinaryFloatingPoint {
  /// A number in a range.
  package static func number(_ range: ClosedRange<Value>) -> Self {
    let bounds = [range.lowerBound, range.upperBound].map {
      Int(exactly: $0)?.settingText ?? $0.settingText
    }
    return Self("a number from \(bounds[0]) to \(bounds[1])") { range.contains($0) }
  }

  /// A number above 0.
  package static var positive: Self { Self("a number above 0") { $0 > 0 } }

  /// 0 or a number above it.
  package static var notNegative: Self { Self("a number of at least 0") { $0 >= 0 } }

  /// Any finite number.
  package static var finite: Self { Self("a number") { _ in true } }
}

extension ValueRule {
  /// A list of so many values that each follow a rule.
  package static func list<Element>(of count: Int, _ rule: ValueRule<Element>) -> Self
  where Value == [Element] {
    Self("a list of \(count, "value"), each \(rule.expected)") {
      $0.count == count && $0.allSatisfy(rule.accepts)
    }
  }

  /// A list of any number of values, though at least `least`, that each follow a rule.
  package static func list<Element>(atLeast least: Int, _ rule: ValueRule<Element>) -> Self
  where Value == [Element] {
    Self("a list\(least > 0 ? " of at least \(least)" : ""), each value \(rule.expected)") {
      $0.count >= least && $0.allSatisfy(rule.accepts)
    }
  }
}

extension ValueRule where Value == [String] {
  /// Sentences that each have a place for a class name.
  package static var templates: Self {
    Self("a list of sentences, each with {name} in the place of the class name") {
      $0.allSatisfy { $0.contains("{name}") }
    }
  }
}
