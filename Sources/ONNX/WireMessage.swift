/// A protocol buffer message that is being written.
///
/// ONNX needs four ways to write a field and no reading, so that this stands in for a protobuf
/// runtime with a code generator. Large fields are kept as pieces of their own: nesting a message
/// copies headers, not weights.
/// Source: https://protobuf.dev/programming-guides/encoding
package struct WireMessage {
  /// The bytes so far, in pieces.
  package private(set) var pieces: [[UInt8]] = []
  /// Number of bytes so far.
  package private(set) var count = 0

  /// How the bytes of a field end.
  private enum WireType: UInt64 {
    case varint = 0
    case length = 2
    case fourBytes = 5
  }

  /// Pieces below this size are joined.
  private static let smallPiece = 4096

  package init() {}

  /// Adds a whole number: a field of type int32, int64, bool or an enumeration.
  ///
  /// - Parameters:
  ///   - field: The field's number.
  ///   - integer: Its value.
  package mutating func add(_ field: Int, integer: Int) {
    append(Self.header(field, .varint) + Self.varint(UInt64(bitPattern: Int64(integer))))
  }

  /// Adds a field of type float.
  ///
  /// - Parameters:
  ///   - field: The field's number.
  ///   - float: Its value.
  package mutating func add(_ field: Int, float: Float) {
    append(Self.header(field, .fourBytes) + Self.littleEndian(float.bitPattern))
  }

  /// Adds a field of type string.
  ///
  /// - Parameters:
  ///   - field: The field's number.
  ///   - text: Its value.
  package mutating func add(_ field: Int, text: String) { add(field, bytes: Array(text.utf8)) }

  /// Adds a field of type bytes.
  ///
  /// - Parameters:
  ///   - field: The field's number.
  ///   - bytes: Its value.
  package mutating func add(_ field: Int, bytes: [UInt8]) {
    append(Self.header(field, .length) + Self.varint(UInt64(bytes.count)))
    append(bytes)
  }

  /// Adds a repeated field of whole numbers.
  ///
  /// - Parameters:
  ///   - field: The field's number.
  ///   - integers: Its values.
  package mutating func add(_ field: Int, integers: [Int]) {
    add(field, bytes: integers.flatMap { Self.varint(UInt64(bitPattern: Int64($0))) })
  }

  /// Adds a message inside this one.
  ///
  /// - Parameters:
  ///   - field: The field's number.
  ///   - message: Its value.
  package mutating func add(_ field: Int, message: WireMessage) {
    append(Self.header(field, .length) + Self.varint(UInt64(message.count)))
    for piece in message.pieces { append(piece) }
  }

  private mutating func append(_ bytes: [UInt8]) {
    count += bytes.count
    if let last = pieces.indices.last, pieces[last].count + bytes.count <= Self.smallPiece {
      pieces[last] += bytes
    } else if !bytes.isEmpty {
      pieces.append(bytes)
    }
  }

  private static func header(_ field: Int, _ type: WireType) -> [UInt8] {
    varint(UInt64(field) << 3 | type.rawValue)
  }

  /// Seven bits a byte, lowest first; the highest bit says that more follow.
  private static func varint(_ value: UInt64) -> [UInt8] {
    var rest = value
    var bytes: [UInt8] = []
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  private static func littleEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
