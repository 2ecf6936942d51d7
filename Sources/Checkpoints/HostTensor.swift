/// A plain tensor in host memory: a name, a shape and dense row-major numbers of a stored type.
package struct HostTensor: Sendable, Equatable {
  /// What errors call the tensor.
  package var name: String
  /// The lengths of the axes, slowest first; empty for a scalar.
  package let shape: [Int]
  /// How each number is stored.
  package let type: StoredType
  /// The numbers, little-endian, row-major, without gaps.
  package let bytes: [UInt8]

  /// The number of elements; 1 for a scalar.
  package var count: Int { bytes.count / type.byteCount }

  /// Creates a tensor of 32-bit floating-point numbers.
  ///
  /// - Parameters:
  ///   - name: What errors call the tensor.
  ///   - shape: The lengths of the axes; their product is the number of values.
  ///   - floats: The values, row-major.
  package init(name: String = "", shape: [Int], floats: [Float]) {
    self.init(name: name, shape: shape, type: .float32, values: floats)
  }

  /// Creates a tensor of 32-bit whole numbers.
  ///
  /// - Parameters:
  ///   - name: What errors call the tensor.
  ///   - shape: The lengths of the axes; their product is the number of values.
  ///   - integers: The values, row-major.
  package init(name: String = "", shape: [Int], integers: [Int32]) {
    self.init(name: name, shape: shape, type: .int32, values: integers)
  }

  /// Creates a tensor of 64-bit whole numbers.
  ///
  /// - Parameters:
  ///   - name: What errors call the tensor.
  ///   - shape: The lengths of the axes; their product is the number of values.
  ///   - wideIntegers: The values, row-major.
  package init(name: String = "", shape: [Int], wideIntegers: [Int64]) {
    self.init(name: name, shape: shape, type: .int64, values: wideIntegers)
  }

  private init<Value: BitwiseCopyable>(
    name: String, shape: [Int], type: StoredType, values: [Value]
  ) {
    precondition(
      shape.reduce(1, *) == values.count, "shape \(shape) does not hold \(values.count) values")
    self.init(
      name: name, shape: shape, type: type, bytes: values.withUnsafeBytes { Array($0) })
  }

  /// Creates a tensor from stored bytes.
  package init(name: String = "", shape: [Int], type: StoredType, bytes: [UInt8]) {
    precondition(
      shape.reduce(type.byteCount, *) == bytes.count,
      "shape \(shape) of \(type.rawValue) does not take \(bytes.count) bytes")
    self.name = name
    self.shape = shape
    self.type = type
    self.bytes = bytes
  }

  /// The values as 32-bit floating-point numbers, converted from any floating-point type.
  ///
  /// - Returns: The values, row-major; doubles beyond the range become infinite.
  /// - Throws: ``CheckpointError`` when the tensor holds whole numbers.
  package func floats() throws -> [Float] {
    guard let values = bytes.withUnsafeBytes({ StoredFloats.decode($0, type) }) else {
      throw CheckpointError.tensor(
        path: "checkpoint", name: name,
        reason: "holds \(type.rawValue) where floating-point numbers are needed")
    }
    return values
  }

  /// The values as whole numbers, converted from any integer or truth-value type.
  ///
  /// - Returns: The values, row-major.
  /// - Throws: ``CheckpointError`` when the tensor holds floating-point numbers or a value too
  ///   large for `Int`.
  package func integers() throws -> [Int] {
    switch type {
    case .bool: return convert(UInt8.self) { $0 == 0 ? 0 : 1 }
    case .uint8: return convert(UInt8.self) { Int($0) }
    case .int8: return convert(Int8.self) { Int($0) }
    case .uint16: return convert(UInt16.self) { Int($0) }
    case .int16: return convert(Int16.self) { Int($0) }
    case .uint32: return convert(UInt32.self) { Int($0) }
    case .int32: return convert(Int32.self) { Int($0) }
    case .int64: return convert(Int64.self) { Int($0) }
    case .uint64:
      let values = convert(UInt64.self) { $0 }
      guard let largest = values.max(), largest > UInt64(Int.max) else {
        return values.map { Int($0) }
      }
      throw CheckpointError.tensor(
        path: "checkpoint", name: name, reason: "holds \(largest), which is beyond 64-bit integers")
    default:
      throw CheckpointError.tensor(
        path: "checkpoint", name: name,
        reason: "holds \(type.rawValue) where whole numbers are needed")
    }
  }

  private func convert<Stored: FixedWidthInteger, Value>(
    _ stored: Stored.Type, _ body: (Stored) -> Value
  ) -> [Value] {
    bytes.withUnsafeBytes { StoredFloats.convert($0, stored, body) }
  }
}

/// Products of axis lengths that come from a file.
enum CheckedShape {
  /// The bytes of a dense tensor, or nil when an axis is negative or the product overflows.
  static func byteCount(of shape: [Int], type: StoredType) -> Int? {
    var product = type.byteCount
    for length in shape {
      guard length >= 0 else { return nil }
      // An axis of length 0 must not hide the overflow of the others.
      let (next, overflow) = product.multipliedReportingOverflow(by: max(1, length))
      guard !overflow else { return nil }
      product = next
    }
    return shape.contains(0) ? 0 : product
  }
}
