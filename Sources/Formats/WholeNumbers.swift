extension Int {
  /// How many parts of a size cover this number.
  ///
  /// - Parameter size: The size of a part, at least 1.
  /// - Returns: The quotient rounded up.
  package func dividedUp(by size: Int) -> Int {
    let (quotient, rest) = quotientAndRemainder(dividingBy: size)
    return quotient + (rest > 0 ? 1 : 0)
  }

  /// The next multiple of a size that is not smaller.
  ///
  /// - Parameter size: The size, at least 1.
  package func roundedUp(toMultipleOf size: Int) -> Int { dividedUp(by: size) * size }
}

extension BinaryInteger {
  /// The number with zeros in front.
  ///
  /// - Parameters:
  ///   - digits: The least number of digits.
  ///   - radix: The base.
  /// - Returns: For example "000042".
  package func digits(_ digits: Int, radix: Int = 10) -> String {
    let text = String(self, radix: radix)
    return String(repeating: "0", count: Swift.max(0, digits - text.count)) + text
  }
}
