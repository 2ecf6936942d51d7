import OpenCL

extension Tensor {
  /// The largest value of every square window; outside counts as -inf.
  ///
  /// Of equal values the first in row-major window order gets the gradient.
  ///
  /// - Parameters:
  ///   - kernel: Side of a window.
  ///   - stride: Step between windows.
  ///   - padding: Rows and columns of -inf on every side, at most half of `kernel`.
  /// - Returns: `[N, (H + 2 padding - kernel) / stride + 1, …, C]` of `[N, H, W, C]`.
  package func maxPool(kernel: Int, stride: Int, padding: Int) throws -> Tensor {
    precondition(rank == 4, "max pooling of \(shape); it needs [N, H, W, C]")
    precondition(
      kernel > 0 && stride > 0 && padding >= 0 && 2 * padding <= kernel,
      "max pooling by kernel \(kernel), stride \(stride), padding \(padding)")
    let (height, width, channels) = (shape[1], shape[2], shape[3])
    precondition(
      height + 2 * padding >= kernel && width + 2 * padding >= kernel,
      "max pooling of \(shape) by a window of \(kernel)")
    let rows = (height + 2 * padding - kernel) / stride + 1
    let columns = (width + 2 * padding - kernel) / stride + 1
    let result = try Tensor(
      uninitialized: [shape[0], rows, columns, channels], on: stream, elementType: elementType,
      label: "max pool")
    let keepsPlaces = needsGradient && stream.recordsGradients
    let places =
      keepsPlaces
      ? try Tensor(uninitialized: result.shape, on: stream, label: "max pool places") : nil
    let sizes: [KernelArgument] = [
      .int(height), .int(width), .int(channels), .int(rows), .int(columns), .int(kernel),
      .int(stride), .int(padding),
    ]
    try stream.launchRows(
      try stream.kernel(
        "pooling_max_forward", in: "Pooling", storing: elementType, channels: channels),
      rows: shape[0] * rows,
      [.buffer(buffer), .buffer(result.buffer), places.map { .buffer($0.buffer) } ?? .null]
        + sizes,
      work: Work(
        operations: Double(kernel * kernel * result.count),
        bytes: Double(byteCount + result.byteCount)))
    guard let places else { return result }
    let inputShape = shape
    return result.differentiable(from: [self], "maxPool") { gradient in
      let stream = gradient.stream
      let input = try Tensor(
        uninitialized: inputShape, on: stream, elementType: gradient.elementType,
        label: "max pool gradient")
      try stream.launchRows(
        try stream.kernel(
          "pooling_max_backward_gather", in: "Pooling", storing: gradient.elementType,
          channels: channels),
        rows: inputShape[0] * inputShape[1],
        [.buffer(places.buffer), .buffer(gradient.buffer), .buffer(input.buffer)] + sizes,
        work: Work(
          operations: Double(kernel * kernel * gradient.count),
          bytes: Double(input.byteCount + gradient.byteCount + places.byteCount)))
      return [input]
    }
  }

  /// The mean over all positions of an image.
  ///
  /// - Returns: `[N, C]` of `[N, H, W, C]`.
  package func globalAveragePool() throws -> Tensor {
    precondition(rank == 4, "average pooling of \(shape); it needs [N, H, W, C]")
    let (area, channels) = (shape[1] * shape[2], shape[3])
    precondition(area > 0, "average over no positions of \(shape)")
    let slices = stream.channelSlices(channels)
    let result = try Tensor(
      uninitialized: [shape[0], channels], on: stream, elementType: elementType, label: "mean")
    try stream.launchRows(
      try stream.kernel(
        "pooling_average_forward", in: "Pooling", storing: elementType, channels: channels),
      rows: shape[0] * slices,
      [.buffer(buffer), .buffer(result.buffer), .int(area), .int(channels), .int(slices)],
      work: Work(operations: Double(count), bytes: Double(byteCount)))
    let inputShape = shape
    return result.differentiable(from: [self], "globalAveragePool") { gradient in
      let stream = gradient.stream
      let input = try Tensor(
        uninitialized: inputShape, on: stream, elementType: gradient.elementType,
        label: "mean gradient")
      guard input.count > 0 else { return [input] }
      try stream.launchRows(
        try stream.kernel(
          "pooling_average_backward", in: "Pooling", storing: gradient.elementType,
          channels: channels),
        rows: inputShape[0] * area,
        [.buffer(gradient.buffer), .buffer(input.buffer), .int(area), .int(channels)],
        work: Work(operations: Double(input.count), bytes: Double(input.byteCount)))
      return [input]
    }
  }
}
