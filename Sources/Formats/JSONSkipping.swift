/// Skipping what a reader does not need, at the speed of memory.
///
/// Polygons are most of an annotation file. An array of plain numbers is checked by one table look-up
/// a byte; everything else, and everything that is wrong, is left to the reader that explains itself.
extension JSONScanner {
  /// Where the value that stands next begins.
  ///
  /// - Returns: The offset of its first byte.
  /// - Throws: ``FormatError`` at the end of the text or at a byte that starts no value.
  package mutating func offset() throws -> Int {
    _ = try peek()
    return position
  }

  /// Skips one value of any kind, checking its syntax.
  ///
  /// - Returns: The bytes that it takes.
  /// - Throws: ``FormatError`` at a syntax error.
  package mutating func skippedRange() throws -> Range<Int> {
    let start = try offset()
    try skipValue()
    return start..<position
  }

  private typealias State = UInt8

  private static let valueWanted: State = 0
  private static let valueOrEndWanted: State = 1
  private static let afterMinus: State = 2
  private static let afterZero: State = 3
  private static let inInteger: State = 4
  private static let afterPoint: State = 5
  private static let inFraction: State = 6
  private static let afterValue: State = 7
  /// From here on the byte does more than change the state.
  private static let opens: State = 8
  private static let closes: State = 9
  private static let unknown: State = 10

  /// The next state for each state and byte.
  private static let table: [State] = {
    var table = [State](repeating: unknown, count: 8 * 256)
    func set(_ state: State, _ bytes: some Sequence<UInt8>, _ next: State) {
      for byte in bytes { table[Int(state) << 8 | Int(byte)] = next }
    }
    let spaces: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]
    for state in [valueWanted, valueOrEndWanted] {
      set(state, spaces, state)
      set(state, [0x2D], afterMinus)
      set(state, [0x30], afterZero)
      set(state, 0x31...0x39, inInteger)
      set(state, [0x5B], opens)
    }
    set(valueOrEndWanted, [0x5D], closes)
    set(afterMinus, [0x30], afterZero)
    set(afterMinus, 0x31...0x39, inInteger)
    set(inInteger, 0x30...0x39, inInteger)
    set(afterPoint, 0x30...0x39, inFraction)
    set(inFraction, 0x30...0x39, inFraction)
    for state in [afterZero, inInteger] { set(state, [0x2E], afterPoint) }
    for state in [afterZero, inInteger, inFraction, afterValue] {
      set(state, spaces, afterValue)
      set(state, [0x2C], valueWanted)
      set(state, [0x5D], closes)
    }
    return table
  }()

  /// Skips an array of numbers without exponents, or of such arrays, that stands at ``position``.
  ///
  /// - Returns: False, with nothing read, for any other array, a broken one included.
  mutating func skipNumberArray() -> Bool {
    let end = bytes.count
    guard position < end, bytes[position] == 0x5B else { return false }
    let opensValue = Self.opens
    let closesValue = Self.closes
    let reached: Int? = Self.table.withUnsafeBufferPointer { table in
      var place = position + 1
      var depth = 1
      var state = Self.valueOrEndWanted
      while place < end {
        let next = table[Int(state) << 8 | Int(bytes[place])]
        place += 1
        if next < opensValue {
          state = next
        } else if next == opensValue {
          depth += 1
          guard depth <= 64 else { return nil }
          state = Self.valueOrEndWanted
        } else if next == closesValue {
          depth -= 1
          if depth == 0 { return place }
          state = Self.afterValue
        } else {
          return nil
        }
      }
      return nil
    }
    guard let reached else { return false }
    position = reached
    return true
  }

  /// Skips a string of plain ASCII without escapes that stands at ``position``.
  ///
  /// - Returns: False, with nothing read, for any other string, a broken one included.
  mutating func skipPlainString() -> Bool {
    guard position < bytes.count, bytes[position] == 0x22 else { return false }
    var place = position + 1
    while place < bytes.count {
      let byte = bytes[place]
      place += 1
      if byte == 0x22 {
        position = place
        return true
      }
      guard byte >= 0x20, byte < 0x80, byte != 0x5C else { return false }
    }
    return false
  }
}
