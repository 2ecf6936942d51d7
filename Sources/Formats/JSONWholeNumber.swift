/// Whole numbers, read exactly: identifiers of 64 bits do not fit a double.
extension JSONScanner {
  /// Below this every double stands for one whole number alone.
  private static let exactDoublesEnd = 9_007_199_254_740_992.0

  /// Reads a whole number.
  ///
  /// A fraction of zeros or an exponent is accepted below 2^53, where it is still exact.
  ///
  /// - Returns: The number, between -(2^63 - 1) and 2^63 - 1.
  /// - Throws: ``FormatError`` when it has a fraction, is too large or is not a number.
  package mutating func integer() throws -> Int {
    guard try peek() == .number else { throw error("expected a number, found \(try peek())") }
    let start = position
    if let whole = try digitsAlone() { return whole }
    position = start
    let value = try number()
    guard value == value.rounded() else { throw error("expected a whole number, found \(value)") }
    guard abs(value) < Self.exactDoublesEnd, let whole = Int(exactly: value) else {
      throw tooLarge(from: start, "write it with digits alone, at most \(Int.max)")
    }
    return whole
  }

  /// Reads digits with or without a minus; nil when there is more to the number, or less.
  private mutating func digitsAlone() throws -> Int? {
    let start = position
    let isNegative = bytes[position] == 0x2D
    if isNegative { position += 1 }
    let first = position
    var value = 0
    var overflows = false
    while position < bytes.count, case let byte = bytes[position], byte >= 0x30, byte <= 0x39 {
      let (tens, high) = value.multipliedReportingOverflow(by: 10)
      let (sum, low) = tens.addingReportingOverflow(Int(byte - 0x30))
      overflows = overflows || high || low
      value = sum
      position += 1
    }
    let digits = position - first
    guard digits > 0, digits == 1 || bytes[first] != 0x30 else { return nil }
    // A fraction or an exponent.
    if position < bytes.count, bytes[position] == 0x2E || bytes[position] | 0x20 == 0x65 {
      return nil
    }
    guard !overflows else { throw tooLarge(from: start, "the largest is \(Int.max)") }
    return isNegative ? -value : value
  }

  private func tooLarge(from start: Int, _ remedy: String) -> FormatError {
    let text = String(decoding: bytes[start..<position].prefix(40), as: UTF8.self)
    return error("the number \(text)\(position - start > 40 ? "…" : "") is too large; \(remedy)")
  }
}
