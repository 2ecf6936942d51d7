import CZlib

/// A check for accidental damage, much faster than a digest.
package enum Checksum {
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
