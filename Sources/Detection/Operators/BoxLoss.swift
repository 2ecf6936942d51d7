import Formats
import OpenCL
import Tensors

extension Tensor {
  /// The smooth L1 distance to a target, summed and divided.
  ///
  /// The sum over elements of `d^2 / (2 beta)` for `|d| < beta` and `|d| - beta / 2` elsewhere,
  /// divided by `divisor`. Follows spec detector 2.3 and 2.7.
  ///
  /// - Parameters:
  ///   - target: Of the same shape; a constant.
  ///   - beta: Where the square ends; 0 gives the L1 distance.
  ///   - divisor: What the sum is divided by.
  /// - Returns: The loss, a scalar; 0 without elements.
  package func smoothL1(_ target: Tensor, beta: Float, divisor: Float) throws -> Tensor {
    precondition(shape == target.shape, "smooth L1 of shapes \(shape) and \(target.shape)")
    let scale = 1 / divisor
    let blocks = count.dividedUp(by: Self.lossBlock)
    let losses = try Tensor(uninitialized: [blocks], on: stream, label: "block losses")
    try stream.launchRows(
      try stream.library.kernel("box_loss_forward", in: "BoxLoss"), rows: blocks,
      [
        .buffer(buffer), .buffer(target.buffer), .buffer(losses.buffer), .float(beta),
        .float(scale), .int(count),
      ], work: Work(operations: 5 * Double(count), bytes: 8 * Double(count)))
    let (input, constant) = (detached(), target.detached())
    return try losses.total().differentiable(from: [self], "smoothL1") { gradient in
      let output = try Tensor(uninitialized: input.shape, on: input.stream, label: "gradient")
      try input.stream.launchElements(
        try input.stream.library.kernel("box_loss_backward", in: "BoxLoss"), count: input.count,
        [
          .buffer(input.buffer), .buffer(constant.buffer), .buffer(gradient.buffer),
          .buffer(output.buffer), .float(beta), .float(scale),
        ], work: Work(operations: 4 * Double(input.count), bytes: 12 * Double(input.count)))
      return [output]
    }
  }
}
