/// A raw deflate stream of zeros, the smallest input that unpacks to much.
package enum PackedZeros {
  /// One zero, then copies of 258 zeros: 13 bits each, in the fixed code of RFC 1951.
  ///
  /// - Parameter copies: The number of copies.
  /// - Returns: The stream, which unpacks to `1 + 258 · copies` zeros.
  package static func deflated(copies: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var pending: UInt32 = 0
    var count: UInt32 = 0
    func put(_ bits: UInt32, _ number: UInt32) {
      pending |= bits << count
      count += number
      while count >= 8 {
        bytes.append(UInt8(truncatingIfNeeded: pending))
        pending >>= 8
        count -= 8
      }
    }
    // The last block, fixed code; codes stand with their highest bit first.
    put(0b011, 3)
    put(0b0000_1100, 8)
    for _ in 0..<copies {
      // Length 258 is code 285: 11000101, and distance 1 is code 0.
      put(0b1010_0011, 8)
      put(0, 5)
    }
    put(0, 7)
    put(0, 7)
    return bytes
  }
}
