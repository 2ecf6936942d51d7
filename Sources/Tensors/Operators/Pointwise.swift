import OpenCL

extension Tensor {
  /// The element-wise sum.
  ///
  /// - Parameter other: A tensor of the same shape.
  /// - Returns: A new tensor.
  /// - Throws: `OpenCLError` when the device fails.
  public func adding(_ other: Tensor) throws -> Tensor {
    precondition(shape == other.shape, "sum of shapes \(shape) and \(other.shape)")
    let result = try Tensor(uninitialized: shape, on: stream, label: "sum")
    try stream.launchElements(
      try stream.library.kernel("pointwise_add_forward", in: "Pointwise"), count: count,
      [.buffer(buffer), .buffer(other.buffer), .buffer(result.buffer)],
      work: Work(operations: Double(count), bytes: 12 * Double(count)))
    return result.differentiable(from: [self, other], "add") { [$0, $0] }
  }

  /// Every element times a constant.
  ///
  /// - Parameter scale: The constant.
  /// - Returns: A new tensor.
  /// - Throws: `OpenCLError` when the device fails.
  public func scaled(by scale: Float) throws -> Tensor {
    let result = try Tensor(uninitialized: shape, on: stream, label: "scaled")
    try stream.launchElements(
      try stream.library.kernel("pointwise_scale_forward", in: "Pointwise"), count: count,
      [.buffer(buffer), .buffer(result.buffer), .float(scale)],
      work: Work(operations: Double(count), bytes: 8 * Double(count)))
    return result.differentiable(from: [self], "scale") { [try $0.scaled(by: scale)] }
  }
}
