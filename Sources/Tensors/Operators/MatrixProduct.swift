import OpenCL

extension Tensor {
  /// The matrix product, of one pair of matrices or of a batch of pairs.
  ///
  /// - Parameters:
  ///   - right: `[K, N]`, or `[B, K, N]` when `self` is `[B, M, K]`; `[N, K]` when transposed.
  ///   - transposeLeft: Whether `self` is stored `[K, M]`.
  ///   - transposeRight: Whether `right` is stored `[N, K]`.
  /// - Returns: `[M, N]` or `[B, M, N]`, stored like the operands, which are of one type.
  /// - Throws: `OpenCLError` when the device fails.
  public func matrixProduct(
    _ right: Tensor, transposeLeft: Bool = false, transposeRight: Bool = false
  ) throws -> Tensor {
    let result = try product(
      right, transposeLeft: transposeLeft, transposeRight: transposeRight)
    let left = detached()
    let other = right.detached()
    let (needsLeft, needsRight) = (needsGradient, right.needsGradient)
    return result.differentiable(from: [self, right], "matrix product") { gradient in
      var leftGradient: Tensor?
      if needsLeft {
        leftGradient =
          transposeLeft
          ? try other.matrixProduct(
            gradient, transposeLeft: transposeRight, transposeRight: true)
          : try gradient.matrixProduct(other, transposeRight: !transposeRight)
      }
      var rightGradient: Tensor?
      if needsRight {
        rightGradient =
          transposeRight
          ? try gradient.matrixProduct(
            left, transposeLeft: true, transposeRight: transposeLeft)
          : try left.matrixProduct(gradient, transposeLeft: !transposeLeft)
      }
      return [leftGradient, rightGradient]
    }
  }

  /// The product without its history, in new memory of the operands' type or in a given tensor.
  private func product(
    _ right: Tensor, transposeLeft: Bool, transposeRight: Bool, into given: Tensor? = nil
  ) throws -> Tensor {
    precondition(
      elementType == right.elementType,
      "matrix product of \(elementType) and \(right.elementType)")
    precondition(
      rank == right.rank && (rank == 2 || rank == 3 && shape[0] == right.shape[0]),
      "matrix product of shapes \(shape) and \(right.shape)")
    let (first, second) = (Array(shape.suffix(2)), Array(right.shape.suffix(2)))
    let rows = first[transposeLeft ? 1 : 0]
    let depth = first[transposeLeft ? 0 : 1]
    let columns = second[transposeRight ? 0 : 1]
    precondition(
      depth == second[transposeRight ? 1 : 0],
      "matrix product of shapes \(shape) and \(right.shape)")
    let batch = rank == 3 ? shape[0] : 1
    let result =
      try given
      ?? Tensor(
        uninitialized: shape.dropLast(2) + [rows, columns], on: stream, elementType: elementType,
        label: "matrix product")
    try MatrixLaunch(
      rows: rows, columns: columns, depth: depth, batch: batch,
      left: MatrixOperand(
        buffer: buffer, loader: transposeLeft ? .transposed : .rows, pitch: first[1],
        stride: rows * depth),
      right: MatrixOperand(
        buffer: right.buffer, loader: transposeRight ? .transposed : .rows, pitch: second[1],
        stride: depth * columns),
      operandType: elementType, targetType: result.elementType
    ).run(on: stream, into: result.buffer)
    return result
  }

  /// A linear layer over the last axis: `x weight^T + bias`.
  ///
  /// 16-bit activations meet the weight rounded to their type; its gradient is float32.
  ///
  /// - Parameters:
  ///   - weight: `[O, I]`; `I` is the size of the last axis.
  ///   - bias: `[O]` or nil.
  /// - Returns: The same shape with `O` for the last axis.
  /// - Throws: `OpenCLError` when the device fails.
  public func linear(weight: Tensor, bias: Tensor? = nil) throws -> Tensor {
    precondition(
      rank >= 1 && weight.rank == 2 && shape[rank - 1] == weight.shape[1],
      "linear layer of weight \(weight.shape) on \(shape)")
    let (outputs, inputs) = (weight.shape[0], weight.shape[1])
    precondition(bias.map { $0.shape == [outputs] } ?? true, "linear layer: bias of wrong shape")
    let rows = shape.dropLast().reduce(1, *)
    let result = try Tensor(
      uninitialized: shape.dropLast() + [outputs], on: stream, elementType: elementType,
      label: "linear")
    let kept = try weight.factor(of: elementType)
    try MatrixLaunch(
      rows: rows, columns: outputs, depth: inputs,
      left: MatrixOperand(buffer: buffer, loader: .rows, pitch: inputs),
      right: MatrixOperand(buffer: kept.buffer, loader: .transposed, pitch: inputs),
      bias: bias?.buffer, operandType: elementType, targetType: elementType
    ).run(on: stream, into: result.buffer)
    let (shape, x) = (shape, detached())
    let needs = (needsGradient, weight.needsGradient, bias?.needsGradient ?? false)
    return result.differentiable(from: [self, weight] + (bias.map { [$0] } ?? []), "linear") {
      let gradient = $0.reshaped([rows, outputs])
      var gradients: [Tensor?] = [
        needs.0 ? try gradient.matrixProduct(kept).reshaped(shape) : nil,
        needs.1
          ? try gradient.product(
            x.reshaped([rows, inputs]), transposeLeft: true, transposeRight: false,
            into: weight.gradientTarget(label: "weight gradient"))
          : nil,
      ]
      if bias != nil { gradients.append(needs.2 ? try gradient.columnSums() : nil) }
      return gradients
    }
  }
}
