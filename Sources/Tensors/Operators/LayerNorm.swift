import OpenCL

extension Tensor {
  /// Layer normalisation over the last axis.
  ///
  /// - Parameters:
  ///   - weight: `[C]`, as long as the last axis.
  ///   - bias: `[C]`.
  ///   - epsilon: Added to the variance.
  package func layerNorm(weight: Tensor, bias: Tensor, epsilon: Float = 1e-5) throws -> Tensor {
    let (rows, channels) = rowsAndChannels
    precondition(
      weight.shape == [channels] && bias.shape == [channels],
      "layer norm of \(shape) by weight \(weight.shape) and bias \(bias.shape)")
    let result = try Tensor(like: self, label: "layer norm")
    let statistics = try Tensor(
      uninitialized: [rows, 2], on: stream, label: "layer norm statistics")
    if count > 0 {
      try stream.launchRows(
        try stream.kernel(
          "layer_norm_forward", in: "LayerNorm", storing: elementType, channels: channels),
        rows: rows,
        [
          .buffer(buffer), .buffer(weight.buffer), .buffer(bias.buffer), .buffer(result.buffer),
          .buffer(statistics.buffer), .int(channels), .float(epsilon),
        ], work: Work(operations: 8 * Double(count), bytes: 2 * Double(byteCount)))
    }
    let step = LayerNormGradient(
      input: detached(), weight: weight, bias: bias, statistics: statistics)
    let needsInput = needsGradient
    let (needsWeight, needsBias) = (weight.needsGradient, bias.needsGradient)
    return result.differentiable(from: [self, weight, bias], "layerNorm") { gradient in
      let input = needsInput ? try step.ofInput(gradient, addedTo: self.takenGradient()) : nil
      guard needsWeight || needsBias else { return [input, nil, nil] }
      let parameters = try step.ofParameters(gradient)
      return [
        input, needsWeight ? parameters.newWeight : nil, needsBias ? parameters.newBias : nil,
      ]
    }
  }
}

/// What layer normalisation keeps for its gradients.
private struct LayerNormGradient {
  let input: Tensor
  let weight: Tensor
  let bias: Tensor
  let statistics: Tensor

  func ofInput(_ gradient: Tensor, addedTo sum: Tensor?) throws -> Tensor {
    let (rows, channels) = input.rowsAndChannels
    let stream = input.stream
    let result = try sum ?? Tensor(like: input, label: "layer norm gradient")
    guard result.count > 0 else { return result }
    try stream.launchRows(
      try stream.kernel(
        "layer_norm_backward_input", in: "LayerNorm", storing: input.elementType,
        channels: channels),
      rows: rows,
      [
        .buffer(input.buffer), .buffer(weight.buffer), .buffer(statistics.buffer),
        .buffer(gradient.buffer), .buffer(result.buffer), .int(channels), .int(sum == nil ? 0 : 1),
      ], work: Work(operations: 12 * Double(input.count), bytes: 3 * Double(input.byteCount)))
    return result
  }

  func ofParameters(_ gradient: Tensor) throws -> ParameterGradients {
    let (rows, channels) = input.rowsAndChannels
    let stream = input.stream
    let blocks = RowBlocks(
      rows: rows, channels: channels, isSummed: true, on: stream)
    let partial = try Tensor(
      uninitialized: [blocks.count, 2, channels], on: stream, label: "layer norm partial sums")
    try stream.launchRows(
      try stream.kernel(
        "layer_norm_backward_weight", in: "LayerNorm", storing: input.elementType,
        channels: channels),
      rows: blocks.count,
      [
        .buffer(input.buffer), .buffer(statistics.buffer), .buffer(gradient.buffer),
        .buffer(partial.buffer), .int(rows), .int(channels), .int(blocks.size),
      ], work: Work(operations: 5 * Double(input.count), bytes: 2 * Double(input.byteCount)))
    let gradients = try ParameterGradients(weight: weight, bias: bias)
    try gradients.fold(
      partial, blocks: blocks.count, by: "layer_norm_backward_weight_fold", in: "LayerNorm")
    return gradients
  }
}
