import OpenCL

extension Tensor {
  /// The matrix product, of one pair of matrices or of a batch of pairs.
  ///
  /// - Parameters:
  ///   - right: `[K, N]`, or `[B, K, N]` when `self` is `[B, M, K]`; `[N, K]` when transposed.
  ///   - transposeLeft: Whether `self` is stored `[K, M]`.
  ///   - transposeRight: Whether `right` is stored `[N, K]`.
  /// - Returns: `[M, N]` or `[B, M, N]`, stored like the operands, which are of one type.
  package func matrixProduct(
    _ right: Tensor, transposeLeft: Bool = false, transposeRight: Bool = false
  ) throws -> Tensor {
    precondition(
      elementType == right.elementType,
      "matrix product of \(elementType) and \(right.elementType)")
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

  /// The product without its history, in new memory of this tensor's type or in a given tensor.
  ///
  /// Operands are taken as the stream's products take this tensor's type; `right` may be a weight as
  /// they take weights.
  private func product(
    _ right: Tensor, transposeLeft: Bool, transposeRight: Bool, bias: Tensor? = nil,
    epilogue: MatrixEpilogue? = nil, into given: Tensor? = nil, adds: Bool = false
  ) throws -> Tensor {
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
    let type = stream.matrix.productType(of: elementType)
    let left = try detached().converted(to: type)
    let isWeight = right.elementType == stream.matrix.weightType(of: elementType)
    let other = isWeight ? right.detached() : try right.detached().converted(to: type)
    try result.filled(as: type) { target in
      try MatrixLaunch(
        rows: rows, columns: columns, depth: depth, batch: batch,
        left: MatrixOperand(
          buffer: left.buffer, loader: transposeLeft ? .transposed : .rows, pitch: first[1],
          stride: rows * depth),
        right: MatrixOperand(
          buffer: other.buffer, loader: transposeRight ? .transposed : .rows, pitch: second[1],
          stride: depth * columns),
        bias: bias?.buffer, operandType: type, rightType: other.elementType,
        targetType: target.elementType, adds: adds, epilogue: epilogue
      ).run(on: stream, into: target.buffer)
    }
    return result
  }

  /// The gradient of a linear layer's weight, where `self` is that of its result; nil where it was
  /// added to what the weight has collected.
  private func weightGradient(_ x: Tensor, of weight: Tensor) throws -> Tensor? {
    let sum = weight.gradientSum(of: elementType)
    let gradient = try product(
      x, transposeLeft: true, transposeRight: false,
      into: sum ?? weight.gradientTarget(label: "weight gradient"), adds: sum != nil)
    return sum == nil ? gradient : nil
  }

  /// The gradients of a linear layer's input, where `self` is that of its result; see
  /// ``inputGradients(_:)``.
  private func inputGradients(_ weight: Tensor, of input: Tensor) throws -> [Tensor?] {
    try input.inputGradients { sum, epilogue in
      try product(
        weight, transposeLeft: false, transposeRight: false, epilogue: epilogue,
        into: sum?.reshaped([shape[0], weight.shape[1]]), adds: sum != nil
      ).reshaped(input.shape)
    }
  }

  /// A linear layer over the last axis: `x weight^T + bias`.
  ///
  /// 16-bit activations meet the weight rounded to their type; its gradient is float32.
  ///
  /// - Parameters:
  ///   - weight: `[O, I]`; `I` is the size of the last axis.
  ///   - bias: `[O]` or nil.
  ///   - ending: What comes after it; a step of its own on CPUs, and without a rounding in between
  ///     elsewhere.
  /// - Returns: The same shape with `O` for the last axis.
  package func linear(
    weight: Tensor, bias: Tensor? = nil, then ending: LinearEnding? = nil
  ) throws -> Tensor {
    precondition(
      rank >= 1 && weight.rank == 2 && shape[rank - 1] == weight.shape[1],
      "linear layer of weight \(weight.shape) on \(shape)")
    let (outputs, width) = (weight.shape[0], weight.shape[1])
    precondition(bias.map { $0.shape == [outputs] } ?? true, "linear layer: bias of wrong shape")
    if let ending, stream.family == .cpu {
      return try ending.applied(to: linear(weight: weight, bias: bias))
    }
    let resultShape = Array(shape.dropLast()) + [outputs]
    let needs = (needsGradient, weight.needsGradient, bias?.needsGradient ?? false)
    let epilogue = try ending.map {
      try LinearEpilogue(
        $0, of: resultShape, for: self, hasGradient: needs.0 || needs.1 || needs.2)
    }
    let rows = shape.dropLast().reduce(1, *)
    let kept = try weight.factor(of: stream.matrix.weightType(of: elementType))
    let x = detached().reshaped([rows, width])
    let result = try x.product(
      kept, transposeLeft: false, transposeRight: true, bias: bias, epilogue: epilogue?.matrix
    ).reshaped(resultShape)
    let residual = ending?.residual
    let hasResidual = residual != nil
    let inputs = operands()
    let others = [weight] + [bias, residual].compactMap { $0 }
    let layer = result.differentiable(from: inputs + others, "linear") {
      let gradient = $0.reshaped([rows, outputs])
      var gradients = needs.0 ? try gradient.inputGradients(kept, of: self) : [nil]
      gradients.append(needs.1 ? try gradient.weightGradient(x, of: weight) : nil)
      if let bias { gradients.append(needs.2 ? try gradient.biasGradient(of: bias) : nil) }
      if hasResidual { gradients.append($0) }
      return gradients
    }
    guard let activation = ending?.activation else { return layer }
    return result.following(layer, by: activation, keeping: epilogue?.input ?? result)
  }

  /// Lets `body` fill this tensor, or one of a type that products write, which is then rounded.
  func filled(as type: ElementType, by body: (Tensor) throws -> Void) throws {
    // Products write their operands' type or float32.
    guard elementType != type, elementType != .float32 else { return try body(self) }
    let exact = try Tensor(
      uninitialized: shape, on: stream, elementType: type, label: "product before rounding")
    try body(exact)
    try exact.round(into: self)
  }
}
