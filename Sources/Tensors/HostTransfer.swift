import OpenCL

extension Tensor {
  /// Copies floats to a device.
  package init(
    _ values: [Float], shape: [Int], on stream: ComputeStream, label: String = "input"
  ) throws {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    try self.init(uninitialized: shape, on: stream, label: label)
    try values.withUnsafeBytes { try stream.queue.write($0, to: buffer) }
  }

  /// Copies integers to a device.
  package init(
    _ values: [Int32], shape: [Int], on stream: ComputeStream, label: String = "input"
  ) throws {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    try self.init(uninitialized: shape, on: stream, elementType: .int32, label: label)
    try values.withUnsafeBytes { try stream.queue.write($0, to: buffer) }
  }

  /// Fills a new tensor with one value.
  ///
  /// - Parameters:
  ///   - value: The value.
  ///   - shape: Sizes.
  ///   - stream: Where the tensor lives.
  ///   - label: What it holds, for memory reports.
  package init(
    repeating value: Float, shape: [Int], on stream: ComputeStream, label: String = "constant"
  ) throws {
    try self.init(uninitialized: shape, on: stream, label: label)
    guard count > 0 else { return }
    try stream.queue.fill(buffer, pattern: value.bitPattern)
  }

  /// Waits for the stream and copies the elements to the host.
  ///
  /// - Returns: The elements in row-major order.
  package func floats() throws -> [Float] {
    precondition(elementType.isFloating, "floats() of an integer tensor")
    return try converted(to: .float32).read(0)
  }

  /// Waits for the stream and copies the elements to the host.
  ///
  /// - Returns: The elements in row-major order.
  package func integers() throws -> [Int32] {
    precondition(elementType == .int32, "integers() of a float tensor")
    return try read(0)
  }

  private func read<Element>(_ zero: Element) throws -> [Element] {
    var values = [Element](repeating: zero, count: count)
    try values.withUnsafeMutableBytes { try stream.queue.read(buffer, into: $0) }
    return values
  }

  /// Starts to copy the elements to the host without waiting.
  ///
  /// - Returns: The copy under way.
  package func readLater() throws -> PendingRead {
    try stream.queue.readLater(buffer, bytes: byteCount)
  }

  /// Replaces the elements in place, for loading weights.
  ///
  /// - Parameter values: As many floats as the tensor has elements.
  package func overwrite(with values: [Float]) throws {
    precondition(values.count == count, "\(values.count) values for shape \(shape)")
    try values.withUnsafeBytes { try stream.queue.write($0, to: buffer) }
  }

  /// Replaces the elements in place and waits until the device has them; nothing is copied aside.
  ///
  /// - Parameter bytes: The elements as they are stored, as many bytes as the tensor has.
  package func overwrite(withBytes bytes: UnsafeRawBufferPointer) throws {
    precondition(bytes.count == byteCount, "\(bytes.count) bytes for shape \(shape)")
    try stream.queue.writeNow(bytes, to: buffer)
  }

  /// Replaces the elements in place by those of another tensor of the same stream.
  ///
  /// - Parameter other: A tensor of the same shape and type.
  package func copy(from other: Tensor) throws {
    precondition(shape == other.shape && elementType == other.elementType, "copy in place")
    try stream.queue.copy(from: other.buffer, to: buffer, bytes: byteCount)
  }

  /// Overwrites rows with those of another tensor; a row is one entry of the first axis.
  ///
  /// - Parameters:
  ///   - rows: Which rows of the other tensor, which has rows of the same shape and type.
  ///   - source: The other tensor.
  ///   - first: The first row that is overwritten.
  package func copyRows(_ rows: Range<Int>, of source: Tensor, to first: Int) throws {
    precondition(
      rank > 0 && shape.dropFirst() == source.shape.dropFirst()
        && elementType == source.elementType,
      "rows of \(source.shape) \(source.elementType) into \(shape) \(elementType)")
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= source.shape[0] && first >= 0
        && first + rows.count <= shape[0], "rows \(rows) of \(source.shape) to \(first) of \(shape)"
    )
    let bytes = elementType.bytes * shape.dropFirst().reduce(1, *)
    try stream.queue.copy(
      from: source.buffer, at: bytes * rows.lowerBound, to: buffer, at: bytes * first,
      bytes: bytes * rows.count)
  }

  /// A copy with its own storage, on the same stream; a constant.
  package func copied() throws -> Tensor { try moved(to: stream) }

  /// A copy on another stream of the same context, which waits for what this stream holds now.
  ///
  /// The caller keeps `self` alive until this stream has waited for the other one.
  ///
  /// - Parameter other: The other stream.
  /// - Returns: The copy, a constant.
  package func moved(to other: ComputeStream) throws -> Tensor {
    let copy = try Tensor(
      uninitialized: shape, on: other, elementType: elementType, label: buffer.label)
    if other !== stream { try other.queue.wait(for: stream.queue) }
    guard other.family == .cpu, byteCount >= Self.leastStreamedBytes, byteCount % 4 == 0 else {
      try other.queue.copy(from: buffer, to: copy.buffer, bytes: byteCount)
      return copy
    }
    try other.launchElements(
      try other.library.kernel("pointwise_copy_forward", in: "Pointwise"), count: byteCount / 4,
      [.buffer(buffer), .buffer(copy.buffer)], work: Work(bytes: 2 * Double(byteCount)))
    return copy
  }

  /// Copies from this size on are written past a CPU's caches, which would not hold them anyway:
  /// PoCL's own copy reads every line of the target first.
  private static var leastStreamedBytes: Int { 32 << 20 }
}
