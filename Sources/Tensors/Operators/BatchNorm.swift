import OpenCL

extension Tensor {
  /// Batch normalisation by the statistics of this batch, over all axes but the last.
  ///
  /// The running statistics move in place; of a single row the variance counts as 0, and an empty
  /// batch leaves them alone. Shared statistics are those of all devices together, which wait for each
  /// other here and in the gradient.
  ///
  /// - Parameters:
  ///   - weight: `[C]`.
  ///   - bias: `[C]`.
  ///   - runningMean: `[C]`; moved towards the batch's mean in place.
  ///   - runningVariance: `[C]`; moved towards the batch's unbiased variance in place.
  ///   - momentum: The share of the batch in the running statistics.
  ///   - epsilon: Added to the variance.
  ///   - residual: Of this shape; added to the result before `relu`.
  ///   - relu: Whether max(., 0) follows.
  ///   - shared: The layer, where several devices normalise together.
  ///   - columns: What the product that this tensor is was asked to write, of the same running
  ///     statistics (``Tensor/columnStatistics(runningMean:runningVariance:momentum:epsilon:)``).
  package func batchNorm(
    weight: Tensor, bias: Tensor, runningMean: Tensor, runningVariance: Tensor,
    momentum: Float = 0.1, epsilon: Float = 1e-5, residual: Tensor? = nil, relu: Bool = false,
    shared: SharedStatistics? = nil, columns: ColumnStatistics? = nil
  ) throws -> Tensor {
    let (rows, channels) = rowsAndChannels
    if let columns, columns.isFilled {
      return try normalized(
        BatchNormStatistics(mean: columns.mean, inverse: columns.inverse, ofBatch: true),
        weight: weight, bias: bias, residual: residual, relu: relu)
    }
    let mean = try Tensor(uninitialized: [channels], on: stream, label: "batch mean")
    let inverse = try Tensor(uninitialized: [channels], on: stream, label: "inverse deviation")
    let own =
      shared == nil
      ? nil : try Tensor(repeating: 0, shape: [3, channels], on: stream, label: "batch sums")
    if rows > 0 {
      try batchStatistics(
        mean: mean, inverse: inverse, runningMean: runningMean, runningVariance: runningVariance,
        own: own, momentum: momentum, epsilon: epsilon)
    }
    var statistics = BatchNormStatistics(mean: mean, inverse: inverse, ofBatch: true)
    if let shared, let own {
      statistics.shared = shared
      let total = try shared.joined(own, rows: rows)
      statistics.rest = total.rest
      if total.rows > 0 {
        try stream.launchRows(
          try stream.kernel(
            "batch_norm_statistics_join", in: "BatchNorm", storing: .float32, channels: channels),
          rows: stream.channelSlices(channels),
          [
            .buffer(total.statistics.buffer), .buffer(mean.buffer), .buffer(inverse.buffer),
            .buffer(runningMean.buffer), .buffer(runningVariance.buffer), .int(channels),
            .float(momentum), .float(epsilon),
            .float(Float(total.rows / max(total.rows - 1, 1))),
          ], work: Work(operations: 9 * Double(channels), bytes: 32 * Double(channels)))
      }
    }
    return try normalized(statistics, weight: weight, bias: bias, residual: residual, relu: relu)
  }

  /// What to ask of a convolution of this tensor whose result is normalised by its own statistics.
  ///
  /// - Parameters:
  ///   - runningMean: `[C]`, moved in place.
  ///   - runningVariance: `[C]`, moved in place.
  ///   - momentum: The share of the batch in the running statistics.
  ///   - epsilon: Added to the variance.
  /// - Returns: nil where products do not write statistics.
  package func columnStatistics(
    runningMean: Tensor, runningVariance: Tensor, momentum: Float = 0.1, epsilon: Float = 1e-5
  ) throws -> ColumnStatistics? {
    guard elementType == .bfloat16, stream.matrix.tensorCores(for: elementType) != nil else {
      return nil
    }
    return try ColumnStatistics(
      runningMean: runningMean, runningVariance: runningVariance, momentum: momentum,
      epsilon: epsilon)
  }

  /// Writes the statistics of this batch and moves the running ones; of several devices it writes `own`
  /// alone.
  private func batchStatistics(
    mean: Tensor, inverse: Tensor, runningMean: Tensor, runningVariance: Tensor, own: Tensor?,
    momentum: Float, epsilon: Float
  ) throws {
    let (rows, channels) = rowsAndChannels
    let parameters = BatchNormStatistics.parameters(isShared: own != nil)
    let blocks = SumBlocks(rows: rows, channels: channels, on: stream)
    let partial = try Tensor(
      uninitialized: [blocks.count, own == nil ? 2 : 3, channels], on: stream,
      label: "batch norm partial sums")
    let lastGroup = own == nil ? stream.lastGroup : nil
    let results: [KernelArgument] = [
      .buffer(mean.buffer), .buffer(inverse.buffer), .buffer(runningMean.buffer),
      .buffer(runningVariance.buffer),
    ]
    let moves: [KernelArgument] = [.float(momentum), .float(epsilon)]
    try stream.launchSums(
      try stream.kernel(
        "batch_norm_statistics", in: "BatchNorm", storing: elementType, channels: channels,
        parameters: blocks.parameters(on: stream, lastGroup).merging(parameters) { $1 }),
      blocks,
      [
        .buffer(buffer), .buffer(partial.buffer), .int(rows), .int(channels), .int(blocks.size),
      ]
        + (try lastGroup.map { results + moves + [.buffer(try $0.counters(blocks.slabs))] } ?? []),
      work: Work(operations: 4 * Double(count), bytes: Double(byteCount)))
    guard lastGroup == nil else { return }
    try stream.launchRows(
      try stream.kernel(
        "batch_norm_statistics_fold", in: "BatchNorm", storing: .float32, channels: channels,
        parameters: parameters),
      rows: stream.foldGroups(channels),
      [.buffer(partial.buffer)] + results
        + [
          own.map { .buffer($0.buffer) } ?? .null, .int(rows), .int(channels), .int(blocks.size),
        ] + moves,
      work: Work(operations: 4 * Double(partial.count), bytes: 4 * Double(partial.count)))
  }

  /// Batch normalisation by fixed running statistics, over all axes but the last.
  ///
  /// - Parameters:
  ///   - weight: `[C]`; gets a gradient only if it needs one, as does `bias`.
  ///   - bias: `[C]`.
  ///   - runningMean: `[C]`.
  ///   - runningVariance: `[C]`.
  ///   - epsilon: Added to the variance.
  ///   - residual: Of this shape; added to the result before `relu`.
  ///   - relu: Whether max(., 0) follows.
  package func frozenBatchNorm(
    weight: Tensor, bias: Tensor, runningMean: Tensor, runningVariance: Tensor,
    epsilon: Float = 1e-5, residual: Tensor? = nil, relu: Bool = false
  ) throws -> Tensor {
    let (_, channels) = rowsAndChannels
    let inverse = try Tensor(uninitialized: [channels], on: stream, label: "inverse deviation")
    try stream.launchRows(
      try stream.kernel(
        "batch_norm_inverse", in: "BatchNorm", storing: .float32, channels: channels),
      rows: stream.channelSlices(channels),
      [
        .buffer(runningVariance.buffer), .buffer(inverse.buffer), .float(epsilon),
        .int(channels),
      ], work: Work(operations: 3 * Double(channels), bytes: 8 * Double(channels)))
    return try normalized(
      BatchNormStatistics(mean: runningMean.detached(), inverse: inverse, ofBatch: false),
      weight: weight, bias: bias, residual: residual, relu: relu)
  }

  private func normalized(
    _ statistics: BatchNormStatistics, weight: Tensor, bias: Tensor, residual: Tensor?, relu: Bool
  ) throws -> Tensor {
    let (rows, channels) = rowsAndChannels
    for parameter in [weight, bias, statistics.mean, statistics.inverse] {
      precondition(
        parameter.shape == [channels], "batch norm of \(shape) by \(parameter.shape)")
    }
    if let residual {
      precondition(
        residual.shape == shape && residual.elementType == elementType,
        "residual \(residual.shape) \(residual.elementType) for \(shape) \(elementType)")
    }
    let result = try Tensor(like: self, label: "batch norm")
    let blocks = RowBlocks(rows: rows, channels: channels, on: stream)
    try stream.launchRows(
      try stream.kernel(
        "batch_norm_forward", in: "BatchNorm", storing: elementType, channels: channels,
        parameters: statistics.parameters),
      rows: blocks.count,
      [
        .buffer(buffer), .buffer(statistics.mean.buffer),
        statistics.rest.map { .buffer($0.buffer) } ?? .null, .buffer(statistics.inverse.buffer),
        .buffer(weight.buffer), .buffer(bias.buffer),
        residual.map { .buffer($0.buffer) } ?? .null, .buffer(result.buffer), .int(rows),
        .int(channels), .int(blocks.size), .int(relu ? 1 : 0),
      ],
      work: Work(
        operations: 3 * Double(count), bytes: (residual == nil ? 2 : 3) * Double(byteCount)))
    // Elsewhere products take the gradient through ReLU on their way (``ActivationStep``).
    let isOneStep = relu && stream.family == .cpu
    let needs = BatchNormGradient.Needs(
      input: needsGradient, weight: weight.needsGradient, bias: bias.needsGradient,
      residual: residual?.needsGradient ?? false)
    let step = BatchNormGradient(
      // Running statistics: the input counts only for the weight's gradient.
      input: statistics.ofBatch || needs.parameters ? detached() : nil,
      output: isOneStep ? result : nil, weight: weight, bias: bias, statistics: statistics,
      needs: needs)
    let inputs = [self, weight, bias] + (residual.map { [$0] } ?? [])
    let norm = result.differentiable(from: inputs, "batchNorm") { gradient in
      let all = try step.gradients(gradient)
      return residual == nil ? Array(all.dropLast()) : all
    }
    return relu && !isOneStep ? norm.following(norm, by: .relu, keeping: result) : norm
  }
}

/// By what batch normalisation normalises.
private struct BatchNormStatistics {
  let mean: Tensor
  let inverse: Tensor
  /// Whether they were computed from the input, so that gradients flow through them.
  let ofBatch: Bool
  /// Who else's input they were computed from; nil where they are of this device alone.
  var shared: SharedStatistics?
  /// What the float of the mean leaves over, `[C]`; nil where it is not carried.
  var rest: Tensor?

  /// What kernels are compiled with that take these statistics.
  var parameters: [String: Int] { Self.parameters(isShared: rest != nil) }

  /// What kernels are compiled with that take statistics or make them.
  ///
  /// - Parameter isShared: Whether they are those of several devices.
  static func parameters(isShared: Bool) -> [String: Int] { isShared ? ["SPLIT_MEAN": 1] : [:] }
}

extension SharedStatistics {
  /// The statistics of all devices.
  ///
  /// - Parameters:
  ///   - own: `[3, C]`: the mean over the rows of this device, the sum of squares about it, and what the
  ///     mean's float leaves over.
  ///   - rows: How many rows these are.
  /// - Returns: The rows of all devices; `[2, C]`: their mean and variance; `[C]`: what the mean's float
  ///   leaves over.
  fileprivate func joined(
    _ own: Tensor, rows: Int
  ) throws -> (rows: Double, statistics: Tensor, rest: Tensor) {
    let channels = own.shape[1]
    let values = try own.floats().map(Double.init)
    let all = try sum(
      rows: rows,
      (0..<channels).map { channel in
        let mean = values[channel] + values[2 * channels + channel]
        let squares = values[channels + channel]
        // Of float64 even a mean of a thousand deviations costs no digit that float32 has.
        return (Double(rows) * mean, squares + Double(rows) * mean * mean)
      }, "statistics")
    // Of no rows at all nothing is normalised.
    let means = all.pairs.map { all.rows > 0 ? $0.0 / all.rows : 0 }
    let variances = zip(all.pairs, means).map { pair, mean in
      // A difference of sums may fall below 0 by rounding; NaN stays NaN.
      let variance = pair.1 / all.rows - mean * mean
      return variance < 0 ? 0 : variance
    }
    return (
      all.rows,
      try Tensor(
        (means + variances).map { Float($0) }, shape: [2, channels], on: own.stream,
        label: "batch statistics"),
      try Tensor(
        means.map { Float($0 - Double(Float($0))) }, shape: [channels], on: own.stream,
        label: "rest of batch mean")
    )
  }

  /// The sums over the rows of all devices that the gradient of the input needs.
  ///
  /// - Parameters:
  ///   - parameters: The sums over the rows of this device.
  ///   - rows: How many rows these are.
  /// - Returns: What to multiply sums by, and `[2, C]`: the sums of bias and weight.
  fileprivate func summed(
    _ parameters: ParameterGradients, rows: Int
  ) throws -> (share: Float, bias: Tensor, weight: Tensor) {
    let (bias, weight) = (try parameters.bias.floats(), try parameters.weight.floats())
    let all = try sum(rows: rows, zip(bias, weight).map { (Double($0), Double($1)) }, "gradient")
    func tensor(_ values: [Double]) throws -> Tensor {
      try Tensor(
        values.map { Float($0) }, shape: parameters.bias.shape, on: parameters.bias.stream,
        label: "batch norm sums")
    }
    return (
      Float(1 / max(all.rows, 1)), try tensor(all.pairs.map(\.0)), try tensor(all.pairs.map(\.1))
    )
  }
}

/// What batch normalisation keeps for its gradients.
private struct BatchNormGradient {
  struct Needs {
    let input: Bool
    let weight: Bool
    let bias: Bool
    let residual: Bool
    var parameters: Bool { weight || bias }
  }

  let input: Tensor?
  let output: Tensor?
  let weight: Tensor
  let bias: Tensor
  let statistics: BatchNormStatistics
  let needs: Needs

  /// The gradients of input, weight, bias and residual.
  func gradients(_ gradient: Tensor) throws -> [Tensor?] {
    var parameters: ParameterGradients?
    if let input, needs.parameters || needs.input {
      parameters = try ofParameters(gradient, input: input)
    }
    let (inputGradient, residualGradient) = try inputAndResidual(gradient, parameters)
    return [
      inputGradient, needs.weight ? parameters?.newWeight : nil,
      needs.bias ? parameters?.newBias : nil, residualGradient,
    ]
  }

  private func ofParameters(_ gradient: Tensor, input: Tensor) throws -> ParameterGradients {
    let (rows, channels) = input.rowsAndChannels
    let stream = input.stream
    let blocks = SumBlocks(rows: rows, channels: channels, on: stream)
    let partial = try Tensor(
      uninitialized: [blocks.count, 2, channels], on: stream, label: "batch norm partial sums")
    // Of no rows no group is the last.
    let lastGroup = rows > 0 ? stream.lastGroup : nil
    let gradients = try ParameterGradients(weight: weight, bias: bias)
    try stream.launchSums(
      try stream.kernel(
        "batch_norm_backward_weight", in: "BatchNorm", storing: input.elementType,
        channels: channels,
        parameters: blocks.parameters(on: stream, lastGroup).merging(statistics.parameters) { $1 }),
      blocks,
      [
        .buffer(input.buffer), output.map { .buffer($0.buffer) } ?? .null,
        .buffer(gradient.buffer), .buffer(statistics.mean.buffer),
        statistics.rest.map { .buffer($0.buffer) } ?? .null,
        .buffer(statistics.inverse.buffer), .buffer(partial.buffer), .int(rows), .int(channels),
        .int(blocks.size), .int(output == nil ? 0 : 1),
      ]
        + (try lastGroup.map { gradients.targets + [.buffer(try $0.counters(blocks.slabs))] }
          ?? []),
      work: Work(
        operations: 4 * Double(input.count),
        bytes: (output == nil ? 2 : 3) * Double(input.byteCount)))
    if lastGroup == nil {
      try gradients.fold(
        partial, blocks: blocks.count, by: "batch_norm_backward_weight_fold", in: "BatchNorm")
    }
    return gradients
  }

  private func inputAndResidual(
    _ gradient: Tensor, _ parameters: ParameterGradients?
  ) throws -> (input: Tensor?, residual: Tensor?) {
    let stream = gradient.stream
    // Without ReLU the residual's gradient is the result's.
    let sharesResidual = needs.residual && output == nil
    let residual =
      needs.residual && !sharesResidual
      ? try Tensor(like: gradient, label: "residual gradient") : nil
    let result =
      needs.input
      ? try Tensor(like: gradient, label: "batch norm gradient") : nil
    guard residual != nil || result != nil else {
      return (nil, sharesResidual ? gradient : nil)
    }
    let (rows, channels) = gradient.rowsAndChannels
    let blocks = RowBlocks(rows: rows, channels: channels, on: stream)
    let sums = try statistics.ofBatch ? parameters.map { try sumsOfAll($0, rows: rows) } : nil
    let operands = [
      sums == nil ? nil : input, output, gradient, statistics.mean, statistics.rest,
      statistics.inverse, weight, sums?.bias, sums?.weight, result,
      residual,
    ]
    let traffic =
      [output, gradient, result, residual].count { $0 != nil }
      + (sums == nil ? 0 : 1)
    try stream.launchRows(
      try stream.kernel(
        "batch_norm_backward_input", in: "BatchNorm", storing: gradient.elementType,
        channels: channels, parameters: statistics.parameters),
      rows: blocks.count,
      operands.map { tensor in tensor.map { .buffer($0.buffer) } ?? .null }
        + [
          .int(rows), .int(channels), .int(blocks.size), .int(output == nil ? 0 : 1),
          .float(sums?.share ?? 0),
        ],
      work: Work(
        operations: 8 * Double(gradient.count),
        bytes: Double(traffic) * Double(gradient.byteCount)))
    return (result, sharesResidual ? gradient : residual)
  }

  /// The sums over the rows of all devices, and what to multiply them by.
  private func sumsOfAll(
    _ parameters: ParameterGradients, rows: Int
  ) throws -> (share: Float, bias: Tensor, weight: Tensor) {
    guard let shared = statistics.shared, needs.input else {
      return (1 / Float(max(rows, 1)), parameters.bias, parameters.weight)
    }
    return try shared.summed(parameters, rows: rows)
  }
}
