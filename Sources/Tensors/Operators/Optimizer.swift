import Foundation
import OpenCL

/// How a stored gradient becomes the one that counts, as ``Optimizers/norm(of:blocks:limit:scaling:)``
/// found out on the device.
package struct GradientCorrection {
  /// What gradients are multiplied by, a scalar; 0 leaves the step out.
  package let factor: Tensor
  /// Bound on the magnitude of every element afterwards.
  package let limit: Float

  package init(factor: Tensor, limit: Float = .infinity) {
    self.factor = factor
    self.limit = limit
  }
}

/// Blocks of an arena whose squares are summed one by one: whole tensors, cut where they are long.
package struct GradientBlocks {
  /// int32 `[blocks, 2]`: first element and length.
  let table: Tensor
  let elements: Int

  /// Cuts ranges of an arena.
  ///
  /// - Parameters:
  ///   - ranges: The elements of each tensor.
  ///   - stream: Where the arena lives.
  package init(_ ranges: [Range<Int>], on stream: ComputeStream) throws {
    var entries: [Int32] = []
    for range in ranges {
      for first in Swift.stride(from: range.lowerBound, to: range.upperBound, by: Self.size) {
        entries += [Int32(first), Int32(min(Self.size, range.upperBound - first))]
      }
    }
    table = try Tensor(entries, shape: [entries.count / 2, 2], on: stream, label: "blocks")
    elements = ranges.reduce(0) { $0 + $1.count }
  }

  private static let size = 16384
}

/// The norm of gradients and the updates of trained tensors, in place on the device.
package enum Optimizers {
  /// The common 2-norm of gradients, and what keeps it below a limit; nothing is read back.
  ///
  /// The factor is `min(1, limit / (norm + 1e-6))`, as in `torch.nn.utils.clip_grad_norm_`; with
  /// scaling it also takes the scale back, and steps with a norm that is not finite are left out.
  ///
  /// - Parameters:
  ///   - gradients: An arena.
  ///   - blocks: The blocks of the arena that hold gradients.
  ///   - limit: The largest norm.
  ///   - scaling: `[2]`, the factor that gradients carry and how many finite steps it has lasted;
  ///     changes in place: halved by a norm that is not finite, doubled after `patience` finite ones.
  ///   - patience: Finite steps in a row until the scale doubles.
  /// - Returns: The norm before, a scalar, NaN or infinite if a gradient is; and the factor.
  package static func norm(
    of gradients: Tensor, blocks: GradientBlocks, limit: Float, scaling: Tensor? = nil,
    patience: Int = 2000
  ) throws -> (norm: Tensor, factor: Tensor) {
    let stream = gradients.stream
    let count = blocks.table.shape[0]
    let partial = try Tensor(uninitialized: [count], on: stream, label: "gradient squares")
    if count > 0 {
      try stream.launchRows(
        try stream.library.kernel("optimizer_squares_forward", in: "Optimizer"), rows: count,
        [.buffer(gradients.buffer), .buffer(blocks.table.buffer), .buffer(partial.buffer)],
        work: Work(operations: 2 * Double(blocks.elements), bytes: 4 * Double(blocks.elements)))
    }
    let norm = try Tensor(uninitialized: [], on: stream, label: "gradient norm")
    let factor = try Tensor(uninitialized: [], on: stream, label: "gradient factor")
    try stream.launchRows(
      try stream.library.kernel("optimizer_norm_forward", in: "Optimizer"), rows: 1,
      [
        .buffer(partial.buffer), .buffer(norm.buffer), .buffer(factor.buffer),
        scaling.map { .buffer($0.buffer) } ?? .null, .float(limit), .int(patience), .int(count),
      ], work: Work(operations: Double(count), bytes: 4 * Double(count)))
    return (norm, factor)
  }

  /// One step of stochastic gradient descent with momentum.
  ///
  /// `m = momentumFactor * m + (g + weightDecay * p)`, `p = p - rate * m`, without dampening and
  /// Nesterov's form. Matches `torch.optim.SGD` with a momentum that starts at 0. Follows spec
  /// training 4.2.
  ///
  /// - Parameters:
  ///   - parameter: `p`, overwritten.
  ///   - gradient: `g`, of the same shape.
  ///   - momentum: `m`, of the same shape, overwritten.
  ///   - range: Which elements change; nil for all.
  ///   - correction: What is done to `g` first.
  ///   - rate: The learning rate.
  ///   - momentumFactor: How much of `m` stays.
  ///   - weightDecay: Pull towards 0.
  package static func sgd(
    parameter: Tensor, gradient: Tensor, momentum: Tensor, range: Range<Int>? = nil,
    correction: GradientCorrection? = nil, rate: Float, momentumFactor: Float, weightDecay: Float
  ) throws {
    check(parameter, [gradient, momentum])
    let range = range ?? 0..<parameter.count
    let elements = Double(range.count)
    try parameter.stream.launchElements(
      try parameter.stream.library.kernel("optimizer_sgd_update", in: "Optimizer"),
      count: range.count,
      [.buffer(parameter.buffer), .buffer(gradient.buffer), .buffer(momentum.buffer)]
        + arguments(correction) + [rate, momentumFactor, weightDecay].map { .float($0) }
        + [.int(range.lowerBound)],
      work: Work(operations: 6 * elements, bytes: 20 * elements))
  }

  /// One step of Adam with decoupled weight decay.
  ///
  /// Matches `torch.optim.AdamW` with moments that start at 0.
  ///
  /// - Parameters:
  ///   - parameter: Overwritten.
  ///   - gradient: Of the same shape.
  ///   - firstMoment: Of the same shape, overwritten.
  ///   - secondMoment: Of the same shape, overwritten.
  ///   - range: Which elements change; nil for all.
  ///   - correction: What is done to the gradient first.
  ///   - step: Number of this step, from 1.
  ///   - rate: The learning rate.
  ///   - betas: How much of the first and second moment stays.
  ///   - epsilon: Added to the root of the second moment.
  ///   - weightDecay: Pull towards 0, times the rate.
  package static func adamW(
    parameter: Tensor, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor,
    range: Range<Int>? = nil, correction: GradientCorrection? = nil, step: Int, rate: Float,
    betas: (Float, Float) = (0.9, 0.999), epsilon: Float = 1e-8, weightDecay: Float
  ) throws {
    check(parameter, [gradient, firstMoment, secondMoment])
    precondition(step > 0, "AdamW counts steps from 1, not \(step)")
    let range = range ?? 0..<parameter.count
    let elements = Double(range.count)
    let length = Double(rate) / (1 - pow(Double(betas.0), Double(step)))
    let root = 1 / (1 - pow(Double(betas.1), Double(step))).squareRoot()
    let shrink = Float(1 - Double(rate) * Double(weightDecay))
    let tensors = [parameter, gradient, firstMoment, secondMoment]
    try parameter.stream.launchElements(
      try parameter.stream.library.kernel("optimizer_adamw_update", in: "Optimizer"),
      count: range.count,
      tensors.map { .buffer($0.buffer) } + arguments(correction)
        + [betas.0, betas.1, shrink, Float(length), Float(root), epsilon].map { .float($0) }
        + [.int(range.lowerBound)],
      work: Work(operations: 14 * elements, bytes: 28 * elements))
  }

  private static func arguments(_ correction: GradientCorrection?) -> [KernelArgument] {
    [
      correction.map { .buffer($0.factor.buffer) } ?? .null,
      .float(correction?.limit ?? .infinity),
    ]
  }

  private static func check(_ parameter: Tensor, _ others: [Tensor]) {
    for other in others {
      precondition(
        other.shape == parameter.shape && other.stream === parameter.stream,
        "update of shape \(parameter.shape) with \(other.shape)")
    }
  }
}
