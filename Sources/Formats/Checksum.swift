import CZlib

/// A check for accidental damage, much faster than a digest.
package enum Checksum {
  /// The CRC-32C (Castagnoli) of bytes, as TensorFlow's record files use it.
  ///
  /// - Parameter bytes: The bytes.
  package static func crc32c(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var value = UInt32.max
    for byte in bytes {
      value = castagnoli[Int(UInt8(truncatingIfNeeded: value) ^ byte)] ^ value >> 8
    }
    return ~value
  }

  /// The remainders of all bytes, for the reversed polynomial.
  private static let castagnoli: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in
      value & 1 == 0 ? value >> 1 : value >> 1 ^ 0x82F6_3B78
    }
  }

  /// The CRC-32 of bytes, as zip and gzip use it.
  ///
  /// - Parameter bytes: The bytes.
  package static func crc32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var value = CZlib.crc32(0, nil, 0)
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
      value = CZlib.crc32(
        value, piece.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32(piece.count))
      rest = rest.dropFirst(piece.count)
    }
    return UInt32(truncatingIfNeeded: value)
  }
}
