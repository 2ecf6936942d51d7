import Tensors

/// How a batch norm layer normalises while training.
package enum NormMode: String, Sendable, CaseIterable {
  /// With the statistics of the batch, which update the running ones; affine parameters trained.
  case batch
  /// With the running statistics; nothing is updated and the affine parameters are fixed.
  case frozen
}

/// Batch norm over all axes but the last (spec training 4.4).
package struct BatchNorm {
  /// Scale `[C]`.
  package let weight: Parameter
  /// Shift `[C]`.
  package let bias: Parameter
  /// Running mean `[C]`.
  package let runningMean: Parameter
  /// Running variance `[C]`.
  package let runningVariance: Parameter
  private let mode: NormMode
  private let scope: ParameterScope

  /// Creates the layer.
  ///
  /// - Parameters:
  ///   - scope: Where `weight`, `bias`, `running_mean` and `running_var` are named.
  ///   - channels: Number of channels C.
  ///   - mode: How it normalises while training.
  ///   - start: Start value of the scale.
  package init(_ scope: ParameterScope, channels: Int, mode: NormMode, start: Float = 1) throws {
    self.mode = mode
    self.scope = scope
    let affine = scope.frozen(mode == .frozen)
    weight = try affine.parameter("weight", [channels], .constant(start))
    bias = try affine.parameter("bias", [channels], .zeros)
    runningMean = try scope.parameter("running_mean", [channels], .zeros, role: .buffer)
    runningVariance = try scope.parameter("running_var", [channels], .constant(1), role: .buffer)
  }

  /// What it normalises together with, while training; nil where its own rows count alone.
  private var shared: SharedStatistics? {
    guard mode == .batch, let exchange = scope.store.statistics else { return nil }
    return SharedStatistics(exchange, layer: scope.path)
  }

  /// Whether other devices wait for this layer in training, so that it has to run on no rows as well.
  package var isShared: Bool { shared != nil }

  /// Applies the layer, then adds `residual`, then ReLU.
  ///
  /// - Parameters:
  ///   - x: `[..., C]`.
  ///   - training: Whether the batch's statistics are used (in mode `batch`).
  ///   - residual: Added to the normalised values, same shape; or nil.
  ///   - relu: Whether ReLU follows.
  /// - Returns: `[..., C]`.
  package func callAsFunction(
    _ x: Tensor, training: Bool, residual: Tensor? = nil, relu: Bool = false
  ) throws -> Tensor {
    try normalized(x, training: training, residual: residual, relu: relu, columns: nil)
  }

  /// Applies the layer to a convolution's result, whose statistics the convolution takes along where it
  /// can.
  ///
  /// - Parameters:
  ///   - convolution: The layer before.
  ///   - x: Its input.
  ///   - training: Whether the batch's statistics are used (in mode `batch`).
  ///   - residual: Added to the normalised values, same shape; or nil.
  ///   - relu: Whether ReLU follows.
  /// - Returns: `[..., C]`.
  package func callAsFunction(
    after convolution: Convolution, _ x: Tensor, training: Bool, residual: Tensor? = nil,
    relu: Bool = false
  ) throws -> Tensor {
    let isOwn = training && mode == .batch && shared == nil
    let columns =
      try isOwn
      ? x.columnStatistics(
        runningMean: runningMean.value, runningVariance: runningVariance.value) : nil
    return try normalized(
      try convolution(x, statistics: columns), training: training, residual: residual, relu: relu,
      columns: columns)
  }

  private func normalized(
    _ x: Tensor, training: Bool, residual: Tensor?, relu: Bool, columns: ColumnStatistics?
  ) throws -> Tensor {
    if training, mode == .batch {
      return try x.batchNorm(
        weight: weight.value, bias: bias.value, runningMean: runningMean.value,
        runningVariance: runningVariance.value, residual: residual, relu: relu, shared: shared,
        columns: columns)
    }
    return try x.frozenBatchNorm(
      weight: weight.value, bias: bias.value, runningMean: runningMean.value,
      runningVariance: runningVariance.value, residual: residual, relu: relu)
  }
}
