/// Numbers with their nouns: `\(count, "box")` writes "1 box" or "3 boxes".
extension DefaultStringInterpolation {
  /// Adds a number and its noun.
  ///
  /// - Parameters:
  ///   - count: How many.
  ///   - noun: The noun for one; words before it stay as they are.
  package mutating func appendInterpolation(_ count: some BinaryInteger, _ noun: String) {
    appendInterpolation(count)
    appendLiteral(" ")
    appendLiteral(count == 1 ? noun : plural(noun))
  }

  private func plural(_ noun: String) -> String {
    if ["s", "x", "z", "ch", "sh"].contains(where: noun.hasSuffix) { return noun + "es" }
    guard noun.hasSuffix("y"), let before = noun.dropLast().last, !"aeiou".contains(before) else {
      return noun + "s"
    }
    return noun.dropLast() + "ies"
  }
}

extension BinaryInteger {
  /// The form of a verb that goes with this number of things.
  ///
  /// - Parameters:
  ///   - one: The verb after one thing, as "is".
  ///   - many: The verb after none or several, as "are".
  /// - Returns: One of the two.
  package func verb(_ one: String, _ many: String) -> String { self == 1 ? one : many }
}
