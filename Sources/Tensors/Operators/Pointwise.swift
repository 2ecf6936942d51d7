import Foundation
import OpenCL

extension Tensor {
  /// The same values stored in another way.
  ///
  /// - Parameter type: float32 or 16 bits; rounds to the nearest, ties to even.
  /// - Returns: A new tensor, or this one if it is stored so already; its gradient is stored like
  ///   this tensor.
  package func converted(to type: ElementType) throws -> Tensor {
    guard type != elementType else { return self }
    precondition(
      elementType.isFloating && type.isFloating && (elementType == .float32 || type == .float32),
      "conversion of \(elementType) to \(type)")
    let result = try Tensor(
      uninitialized: shape, on: stream, elementType: type, label: buffer.label)
    try round(into: result)
    let original = elementType
    return result.differentiable(from: [self], "convert") { [try $0.converted(to: original)] }
  }

  /// Writes the same values into a tensor that is stored in another way, without a history.
  ///
  /// - Parameter result: A tensor of the same shape; one of the two is float32.
  package func round(into result: Tensor) throws {
    precondition(shape == result.shape && elementType != result.elementType, "rounding in place")
    let widens = result.elementType == .float32
    try stream.launchElements(
      try stream.kernel(
        widens ? "pointwise_widen_forward" : "pointwise_narrow_forward", in: "Pointwise",
        storing: widens ? elementType : result.elementType, channels: 4),
      count: count, [.buffer(buffer), .buffer(result.buffer)],
      work: Work(bytes: 6 * Double(count)))
  }

  /// The same values stored as the stream stores activations.
  ///
  /// - Returns: See ``converted(to:)``.
  package func asActivation() throws -> Tensor { try converted(to: stream.activationType) }

  /// The element-wise sum.
  ///
  /// - Parameter other: A tensor of the same shape.
  package func adding(_ other: Tensor) throws -> Tensor {
    let result = try elementwise("pointwise_add_forward", with: other, label: "sum")
    return result.differentiable(from: [self, other], "add") { [$0, $0] }
  }

  /// Adds another tensor to this one, in place and without a history.
  ///
  /// - Parameter other: A tensor of the same shape and type, in memory of its own.
  package func add(_ other: Tensor) throws {
    precondition(shape == other.shape && elementType == other.elementType, "sum in place")
    try stream.launchElements(
      try stream.kernel(
        "pointwise_add_update", in: "Pointwise", storing: elementType, channels: 4),
      count: count, [.buffer(buffer), .buffer(other.buffer)],
      work: Work(operations: Double(count), bytes: 3 * Double(byteCount)))
  }

  /// Every element times a constant.
  ///
  /// - Parameter scale: The constant.
  package func scaled(by scale: Float) throws -> Tensor {
    let result = try Tensor(like: self, label: "scaled")
    try stream.launchElements(
      try stream.kernel(
        "pointwise_scale_forward", in: "Pointwise", storing: elementType, channels: 4),
      count: count, [.buffer(buffer), .buffer(result.buffer), .float(scale)],
      work: Work(operations: Double(count), bytes: 2 * Double(byteCount)))
    return result.differentiable(from: [self], "scale") { [try $0.scaled(by: scale)] }
  }

  /// Every element times e to the power of a trained scalar: CLIP's learned temperature.
  ///
  /// - Parameters:
  ///   - exponent: A scalar; gradients flow to it while it is below the limit.
  ///   - limit: The largest exponent; CLIP's own is ln 100.
  package func scaled(
    byExponentialOf exponent: Tensor, limit: Float = Float(log(100.0))
  ) throws -> Tensor {
    precondition(exponent.count == 1, "exponent of shape \(exponent.shape); it must be a scalar")
    precondition(elementType == .float32, "logits of \(elementType)")
    func scaling(_ x: Tensor, by exponent: Tensor) throws -> Tensor {
      let result = try Tensor(like: x, label: "scaled")
      try x.stream.launchElements(
        try x.stream.library.kernel("pointwise_scale_exponential_forward", in: "Pointwise"),
        count: x.count,
        [.buffer(x.buffer), .buffer(exponent.buffer), .buffer(result.buffer), .float(limit)],
        work: Work(operations: Double(x.count), bytes: 2 * Double(x.byteCount)))
      return result
    }
    let constant = exponent.detached()
    let result = try scaling(self, by: constant)
    let (needsInput, needsExponent) = (needsGradient, exponent.needsGradient)
    return result.differentiable(from: [self, exponent], "scaleExponential") { gradient in
      var slope: Tensor?
      if needsExponent {
        // The derivative with respect to the exponent is the result itself.
        let product = try result.multiplied(by: gradient).sum()
        let output = try Tensor(
          uninitialized: constant.shape, on: constant.stream, label: "gradient")
        try constant.stream.launchElements(
          try constant.stream.library.kernel(
            "pointwise_scale_exponential_backward", in: "Pointwise"), count: 1,
          [
            .buffer(product.buffer), .buffer(constant.buffer), .buffer(output.buffer),
            .float(limit),
          ], work: Work(operations: 1, bytes: 12))
        slope = output
      }
      return [needsInput ? try scaling(gradient, by: constant) : nil, slope]
    }
  }

  /// The element-wise difference.
  ///
  /// - Parameter other: What is subtracted, of the same shape.
  package func subtracting(_ other: Tensor) throws -> Tensor {
    let result = try elementwise("pointwise_subtract_forward", with: other, label: "difference")
    let needsNegative = other.needsGradient
    return result.differentiable(from: [self, other], "subtract") {
      [$0, needsNegative ? try $0.scaled(by: -1) : nil]
    }
  }

  /// The element-wise product.
  ///
  /// - Parameter other: A tensor of the same shape.
  package func multiplied(by other: Tensor) throws -> Tensor {
    let result = try elementwise("pointwise_multiply_forward", with: other, label: "product")
    let (left, right) = (detached(), other.detached())
    let (needsLeft, needsRight) = (needsGradient, other.needsGradient)
    return result.differentiable(from: [self, other], "multiply") { gradient in
      [
        needsLeft ? try gradient.multiplied(by: right) : nil,
        needsRight ? try gradient.multiplied(by: left) : nil,
      ]
    }
  }

  /// The logistic function 1 / (1 + exp(-x)).
  package func sigmoid() throws -> Tensor {
    let result = try elementwise("pointwise_sigmoid_forward", operations: 20, label: "sigmoid")
    return result.differentiable(from: [self], "sigmoid") { gradient in
      [
        try result.elementwise(
          "pointwise_sigmoid_backward", with: gradient, operations: 3, label: "gradient")
      ]
    }
  }

  /// Adds the same row to every row.
  ///
  /// - Parameter row: `[C]`, as long as the last axis.
  package func addingRow(_ row: Tensor) throws -> Tensor {
    let (rows, channels) = rowsAndChannels
    precondition(row.shape == [channels], "row of shape \(row.shape) for \(shape)")
    let result = try Tensor(like: self, label: "sum with a row")
    let blocks = RowBlocks(rows: rows, channels: channels, on: stream)
    try stream.launchRows(
      try stream.kernel(
        "pointwise_add_row_forward", in: "Pointwise", storing: elementType, channels: channels),
      rows: blocks.count,
      [
        .buffer(buffer), .buffer(row.buffer), .buffer(result.buffer), .int(rows), .int(channels),
        .int(blocks.size),
      ], work: Work(operations: Double(count), bytes: 2 * Double(byteCount)))
    let needsSums = row.needsGradient
    return result.differentiable(from: [self, row], "add row") {
      [$0, needsSums ? try $0.sumOverRows() : nil]
    }
  }

  /// The gradient of a row that was added to every row.
  private func sumOverRows() throws -> Tensor {
    let (rows, channels) = rowsAndChannels
    let blocks = RowBlocks(
      rows: rows, channels: channels, isSummed: true, on: stream)
    let partial = try Tensor(
      uninitialized: [blocks.count, channels], on: stream, label: "partial sums")
    try stream.launchRows(
      try stream.kernel(
        "pointwise_add_row_backward", in: "Pointwise", storing: elementType, channels: channels),
      rows: blocks.count,
      [.buffer(buffer), .buffer(partial.buffer), .int(rows), .int(channels), .int(blocks.size)],
      work: Work(operations: Double(count), bytes: Double(byteCount)))
    let result = try Tensor(uninitialized: [channels], on: stream, label: "gradient of a row")
    try stream.launchRows(
      try stream.kernel(
        "pointwise_add_row_backward_fold", in: "Pointwise", storing: .float32, channels: channels),
      rows: stream.foldGroups(channels),
      [.buffer(partial.buffer), .buffer(result.buffer), .int(blocks.count), .int(channels)],
      work: Work(operations: Double(partial.count), bytes: 4 * Double(partial.count)))
    return result
  }

  /// Runs a kernel of one or two operands and as many results.
  func elementwise(
    _ kernel: String, with other: Tensor? = nil, operations: Double = 1, label: String
  ) throws -> Tensor {
    if let other {
      precondition(shape == other.shape, "\(label) of shapes \(shape) and \(other.shape)")
      precondition(
        elementType == other.elementType,
        "\(label) of \(elementType) and \(other.elementType)")
    }
    let result = try Tensor(like: self, label: label)
    let operands = other.map { [self, $0] } ?? [self]
    try stream.launchElements(
      try stream.kernel(kernel, in: "Pointwise", storing: elementType, channels: 4), count: count,
      (operands + [result]).map { .buffer($0.buffer) },
      work: Work(
        operations: operations * Double(count),
        bytes: Double(operands.count + 1) * Double(byteCount)))
    return result
  }
}
