/// What the elements of a tensor are; raw values are those of `TensorProto.DataType`.
package enum GraphElement: Int, Sendable {
  /// 32-bit floating point.
  case float = 1
  /// Bytes from 0 to 255.
  case uint8 = 2
  /// 32-bit whole numbers.
  case int32 = 6
  /// 64-bit whole numbers, which indices and sizes are.
  case int64 = 7
  /// True or false.
  case bool = 9
  /// 64-bit floating point.
  case double = 11

  /// Numbers as a tensor of this type stores them, little-endian.
  ///
  /// - Parameter values: Numbers that the type can hold.
  func bytes(of values: [Double]) -> [UInt8] {
    switch self {
    case .float: Self.littleEndian(values.map { Float($0).bitPattern })
    case .double: Self.littleEndian(values.map(\.bitPattern))
    case .int32: Self.littleEndian(values.map { Int32($0) })
    case .int64: Self.littleEndian(values.map { Int64($0) })
    case .uint8, .bool: values.map { UInt8($0) }
    }
  }

  private static func littleEndian(_ values: [some FixedWidthInteger]) -> [UInt8] {
    values.flatMap { value in withUnsafeBytes(of: value.littleEndian, Array.init) }
  }
}
