import OpenCL
import Tensors

/// What a step costs to learn: its losses arrive from the device a step later.
public struct PendingLosses {
  /// The step.
  public let iteration: Int
  /// The learning rate that it used.
  public let learningRate: Float
  /// Numbers worth logging.
  public let counts: [String: Int]
  private let names: [String]
  private let read: PendingRead

  init(
    iteration: Int, learningRate: Float, counts: [String: Int] = [:], scalars: [String: Tensor]
  ) throws {
    self.iteration = iteration
    self.learningRate = learningRate
    self.counts = counts
    names = scalars.keys.sorted()
    let packed = try Tensor.concatenated(
      names.compactMap { scalars[$0]?.detached().reshaped([1]) }, axis: 0)
    read = try packed.readLater()
  }

  /// Waits for the losses.
  ///
  /// - Returns: Every loss, `loss` (their sum) and `gradient_norm`, by name.
  /// - Throws: `OpenCLError` when the device failed.
  public func scalars() throws -> [String: Double] {
    Dictionary(
      zip(names, try read.floats().map(Double.init)), uniquingKeysWith: { first, _ in first })
  }
}
