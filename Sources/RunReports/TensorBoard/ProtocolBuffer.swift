import Foundation

/// A message of Protocol Buffers, written field by field.
struct ProtocolBuffer {
  private(set) var bytes = Data()

  /// Adds a whole number; negative ones take ten bytes.
  mutating func add(_ field: Int, _ value: Int64) {
    key(field, wire: 0)
    varint(UInt64(bitPattern: value))
  }

  /// Adds a number of 64 bits.
  mutating func add(_ field: Int, _ value: Double) {
    key(field, wire: 1)
    withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// Adds a number of 32 bits.
  mutating func add(_ field: Int, _ value: Float) {
    key(field, wire: 5)
    withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// Adds bytes.
  mutating func add(_ field: Int, _ value: Data) {
    key(field, wire: 2)
    varint(UInt64(value.count))
    bytes.append(value)
  }

  /// Adds a text.
  mutating func add(_ field: Int, _ value: String) { add(field, Data(value.utf8)) }

  /// Adds a message inside this one.
  mutating func add(_ field: Int, _ content: (inout ProtocolBuffer) -> Void) {
    var inner = ProtocolBuffer()
    content(&inner)
    add(field, inner.bytes)
  }

  private mutating func key(_ field: Int, wire: Int) { varint(UInt64(field << 3 | wire)) }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
