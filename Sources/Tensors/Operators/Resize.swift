import OpenCL

extension Tensor {
  /// The top-down step of a feature pyramid: this map plus a coarser one, up-sampled to its size.
  ///
  /// Position (y, x) reads `top` at (floor(y * Htop / H), floor(x * Wtop / W)).
  ///
  /// - Parameter top: `[N, Htop, Wtop, C]` beside this `[N, H, W, C]`.
  package func addingUpsampled(_ top: Tensor) throws -> Tensor {
    precondition(
      rank == 4 && top.rank == 4 && shape[0] == top.shape[0] && shape[3] == top.shape[3]
        && elementType == top.elementType,
      "up-sampled sum of \(shape) and \(top.shape)")
    precondition(
      top.count > 0 || count == 0, "up-sampling of an empty \(top.shape) to \(shape)")
    let result = try Tensor(like: self, label: "top-down sum")
    let (batch, topShape) = (shape[0], top.shape)
    let sizes: [KernelArgument] = [
      .int(shape[1]), .int(shape[2]), .int(topShape[1]), .int(topShape[2]), .int(shape[3]),
    ]
    try stream.launchRows(
      try stream.kernel(
        "resize_add_upsampled_forward", in: "Resize", storing: elementType, channels: shape[3]),
      rows: batch * shape[1],
      [.buffer(buffer), .buffer(top.buffer), .buffer(result.buffer)] + sizes,
      work: Work(operations: Double(count), bytes: Double(2 * byteCount + top.byteCount)))
    let needsTop = top.needsGradient
    return result.differentiable(from: [self, top], "addUpsampled") { gradient in
      guard needsTop else { return [gradient, nil] }
      let stream = gradient.stream
      let topGradient = try Tensor(
        uninitialized: topShape, on: stream, elementType: gradient.elementType,
        label: "up-sampling gradient")
      try stream.launchRows(
        try stream.kernel(
          "resize_add_upsampled_backward_gather", in: "Resize", storing: gradient.elementType,
          channels: topShape[3]),
        rows: batch * topShape[1],
        [.buffer(gradient.buffer), .buffer(topGradient.buffer)] + sizes,
        work: Work(
          operations: Double(gradient.count),
          bytes: Double(gradient.byteCount + topGradient.byteCount)))
      return [gradient, topGradient]
    }
  }
}
