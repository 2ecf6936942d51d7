/// Converting stored numbers to 32-bit floating point in one pass over memory.
package enum StoredFloats {
  /// Converts numbers of a floating-point type.
  ///
  /// - Parameters:
  ///   - bytes: Whole numbers of that type, little-endian, at any address.
  ///   - type: How they are stored.
  /// - Returns: The values, or nil when the type is of whole numbers.
  static func decode(_ bytes: UnsafeRawBufferPointer, _ type: StoredType) -> [Float]? {
    switch type {
    case .float32: convert(bytes, UInt32.self) { Float(bitPattern: $0) }
    case .float64: convert(bytes, UInt64.self) { Float(Double(bitPattern: $0)) }
    case .float16: convert(bytes, UInt16.self) { Float(Float16(bitPattern: $0)) }
    case .bfloat16: convert(bytes, UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
    default: nil
    }
  }

  /// Converts every stored number by a function.
  @inline(__always)
  static func convert<Stored: FixedWidthInteger, Value>(
    _ bytes: UnsafeRawBufferPointer, _ stored: Stored.Type, _ body: (Stored) -> Value
  ) -> [Value] {
    let size = MemoryLayout<Stored>.size
    let count = bytes.count / size
    return [Value](unsafeUninitializedCapacity: count) { target, initialised in
      for index in 0..<count {
        let value = bytes.loadUnaligned(fromByteOffset: index * size, as: Stored.self)
        target.initializeElement(at: index, to: body(Stored(littleEndian: value)))
      }
      initialised = count
    }
  }

  /// The first value that is NaN or infinite.
  ///
  /// - Parameter floats: 32-bit floating-point numbers, little-endian, at any address.
  /// - Returns: Its place and value, or nil when all are finite.
  package static func firstNotFinite(
    in floats: UnsafeRawBufferPointer
  ) -> (index: Int, value: Float)? {
    let count = floats.count / 4
    let block = 4096
    // Blocks without an early exit, which the compiler turns into vector instructions.
    for start in stride(from: 0, to: count, by: block) {
      let end = min(count, start + block)
      var found: UInt32 = 0
      for index in start..<end {
        let bits = floats.loadUnaligned(fromByteOffset: 4 &* index, as: UInt32.self)
        // The exponent is all ones: adding one carries into the sign's place.
        found |= (UInt32(littleEndian: bits) & 0x7F80_0000) &+ 0x0080_0000
      }
      guard found & 0x8000_0000 != 0 else { continue }
      for index in start..<end {
        let bits = floats.loadUnaligned(fromByteOffset: 4 &* index, as: UInt32.self)
        let value = Float(bitPattern: UInt32(littleEndian: bits))
        if !value.isFinite { return (index, value) }
      }
    }
    return nil
  }

  /// Hands the values of a tensor to a function as finite 32-bit floating-point numbers.
  ///
  /// Values that are stored as such are handed over where the file is mapped, without a copy.
  ///
  /// - Parameters:
  ///   - name: The tensor's name in the file.
  ///   - source: The file.
  ///   - body: Gets the numbers, in the machine's byte order, row-major; valid during the call only.
  /// - Throws: ``CheckpointError`` when there is no such tensor, it is damaged, holds whole numbers, or
  ///   a value that is not finite; or what `body` throws.
  package static func read<Result>(
    _ name: String, of source: any WeightSource,
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    func refuse(_ reason: String) -> CheckpointError {
      .tensor(path: source.path, name: name, reason: reason)
    }
    func checked(_ floats: UnsafeRawBufferPointer) throws -> Result {
      if let (index, value) = firstNotFinite(in: floats) {
        throw refuse(
          "element \(index) is \(value), not a finite number; the file is damaged or its training "
            + "diverged: take another file")
      }
      return try body(floats)
    }
    return try source.read(name) { type, bytes in
      #if _endian(little)
        if type == .float32 { return try checked(bytes) }
      #endif
      guard let values = decode(bytes, type) else {
        throw refuse("holds \(type.rawValue) where floating-point numbers are needed")
      }
      return try values.withUnsafeBytes(checked)
    }
  }
}
