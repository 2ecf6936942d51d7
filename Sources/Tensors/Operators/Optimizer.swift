import Foundation
import OpenCL

/// Updates of trained tensors and clipping of their gradients, all in place on the device.
public enum Optimizers {
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
  ///   - rate: The learning rate.
  ///   - momentumFactor: How much of `m` stays.
  ///   - weightDecay: Pull towards 0.
  /// - Throws: `OpenCLError` when the device fails.
  public static func sgd(
    parameter: Tensor, gradient: Tensor, momentum: Tensor, rate: Float, momentumFactor: Float,
    weightDecay: Float
  ) throws {
    check(parameter, [gradient, momentum])
    let stream = parameter.stream
    let elements = Double(parameter.count)
    try stream.launchElements(
      try stream.library.kernel("optimizer_sgd_update", in: "Optimizer"), count: parameter.count,
      [
        .buffer(parameter.buffer), .buffer(gradient.buffer), .buffer(momentum.buffer),
        .float(rate), .float(momentumFactor), .float(weightDecay),
      ], work: Work(operations: 6 * elements, bytes: 20 * elements))
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
  ///   - step: Number of this step, from 1.
  ///   - rate: The learning rate.
  ///   - betas: How much of the first and second moment stays.
  ///   - epsilon: Added to the root of the second moment.
  ///   - weightDecay: Pull towards 0, times the rate.
  /// - Throws: `OpenCLError` when the device fails.
  public static func adamW(
    parameter: Tensor, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, step: Int,
    rate: Float, betas: (Float, Float) = (0.9, 0.999), epsilon: Float = 1e-8, weightDecay: Float
  ) throws {
    check(parameter, [gradient, firstMoment, secondMoment])
    precondition(step > 0, "AdamW counts steps from 1, not \(step)")
    let stream = parameter.stream
    let elements = Double(parameter.count)
    let length = Double(rate) / (1 - pow(Double(betas.0), Double(step)))
    let root = 1 / (1 - pow(Double(betas.1), Double(step))).squareRoot()
    try stream.launchElements(
      try stream.library.kernel("optimizer_adamw_update", in: "Optimizer"), count: parameter.count,
      [
        .buffer(parameter.buffer), .buffer(gradient.buffer), .buffer(firstMoment.buffer),
        .buffer(secondMoment.buffer), .float(betas.0), .float(betas.1),
        .float(Float(1 - Double(rate) * Double(weightDecay))), .float(Float(length)),
        .float(Float(root)), .float(epsilon),
      ], work: Work(operations: 14 * elements, bytes: 28 * elements))
  }

  /// Scales gradients down, in place, so that their common 2-norm is at most a limit.
  ///
  /// The factor is `min(1, limit / (norm + 1e-6))`; nothing is read back. Tensors that share their
  /// storage count as often as they are listed but are scaled once. Matches
  /// `torch.nn.utils.clip_grad_norm_`.
  ///
  /// - Parameters:
  ///   - gradients: At least one tensor, overwritten.
  ///   - limit: The largest norm.
  /// - Returns: The norm before, a scalar; NaN or infinite if a gradient is.
  /// - Throws: `OpenCLError` when the device fails.
  public static func clip(gradients: [Tensor], toNorm limit: Float) throws -> Tensor {
    guard let stream = gradients.first?.stream else {
      preconditionFailure("the norm of no gradients")
    }
    let blocks = gradients.map { ($0.count + squaresBlock - 1) / squaresBlock }
    let partial = try Tensor(
      uninitialized: [blocks.reduce(0, +)], on: stream, label: "gradient squares")
    let squares = try stream.library.kernel("optimizer_squares_forward", in: "Optimizer")
    var first = 0
    for (gradient, blocks) in zip(gradients, blocks) {
      try stream.launchRows(
        squares, rows: blocks,
        [.buffer(gradient.buffer), .buffer(partial.buffer), .int(first), .int(gradient.count)],
        work: Work(operations: 2 * Double(gradient.count), bytes: 4 * Double(gradient.count)))
      first += blocks
    }
    let norm = try Tensor(uninitialized: [], on: stream, label: "gradient norm")
    let factor = try Tensor(uninitialized: [], on: stream, label: "gradient factor")
    try stream.launchRows(
      try stream.library.kernel("optimizer_norm_forward", in: "Optimizer"), rows: 1,
      [
        .buffer(partial.buffer), .buffer(norm.buffer), .buffer(factor.buffer), .float(limit),
        .int(partial.count),
      ], work: Work(operations: Double(partial.count), bytes: 4 * Double(partial.count)))
    let scale = try stream.library.kernel("optimizer_scale_update", in: "Optimizer")
    for gradient in distinct(gradients) {
      try stream.launchElements(
        scale, count: gradient.count, [.buffer(gradient.buffer), .buffer(factor.buffer)],
        work: Work(operations: Double(gradient.count), bytes: 8 * Double(gradient.count)))
    }
    return norm
  }

  /// Limits every element of the gradients to a magnitude, in place.
  ///
  /// NaN stays NaN. Matches `torch.nn.utils.clip_grad_value_`.
  ///
  /// - Parameters:
  ///   - gradients: Overwritten.
  ///   - limit: The largest magnitude.
  /// - Throws: `OpenCLError` when the device fails.
  public static func clip(gradients: [Tensor], toValue limit: Float) throws {
    for gradient in distinct(gradients) {
      let stream = gradient.stream
      try stream.launchElements(
        try stream.library.kernel("optimizer_limit_update", in: "Optimizer"),
        count: gradient.count, [.buffer(gradient.buffer), .float(limit)],
        work: Work(operations: 2 * Double(gradient.count), bytes: 8 * Double(gradient.count)))
    }
  }

  /// Elements of a block of the squared norm; equals `BLOCK` in `Optimizer.cl`.
  private static let squaresBlock = 16384

  /// One tensor per storage: the gradient of a sum arrives at both operands as one buffer.
  private static func distinct(_ gradients: [Tensor]) -> [Tensor] {
    var seen: Set<ObjectIdentifier> = []
    return gradients.filter { seen.insert(ObjectIdentifier($0.buffer)).inserted }
  }

  private static func check(_ parameter: Tensor, _ others: [Tensor]) {
    for other in others {
      precondition(
        other.shape == parameter.shape && other.stream === parameter.stream,
        "update of shape \(parameter.shape) with \(other.shape)")
    }
  }
}
