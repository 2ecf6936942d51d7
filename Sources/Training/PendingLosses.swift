import OpenCL
import Tensors

/// What a step gives, still on the device: its losses arrive a step later.
package struct PendingLosses {
  /// The step.
  package let iteration: Int
  /// The learning rate that it used.
  package let learningRate: Float
  /// Images that it used.
  package let imageCount: Int
  /// Numbers worth logging.
  package let counts: [String: Int]
  /// Seconds that the host waited for the step's data.
  var dataWait = 0.0
  private let names: (losses: [String], measures: [String])
  private let isScaled: Bool
  private let read: PendingRead

  /// Packs the scalars and starts to read them.
  ///
  /// - Parameters:
  ///   - iteration: The step.
  ///   - learningRate: The learning rate that it used.
  ///   - imageCount: Images that it used.
  ///   - counts: Numbers worth logging.
  ///   - losses: Weighted losses by name.
  ///   - total: The sum of the losses, which gradients are of.
  ///   - gradientNorm: Length of all gradients together.
  ///   - lossScale: What the sum was multiplied by; nil when it was not.
  ///   - measures: Other scalars by name.
  init(
    iteration: Int, learningRate: Float, imageCount: Int, counts: [String: Int] = [:],
    losses: [String: Tensor], total: Tensor, gradientNorm: Tensor, lossScale: Tensor?,
    measures: [String: Tensor] = [:]
  ) throws {
    self.iteration = iteration
    self.learningRate = learningRate
    self.imageCount = imageCount
    self.counts = counts
    isScaled = lossScale != nil
    names = (losses.keys.sorted(), measures.keys.sorted())
    let scalars =
      [total, gradientNorm] + (lossScale.map { [$0] } ?? [])
      + names.losses.compactMap { losses[$0] } + names.measures.compactMap { measures[$0] }
    read = try Tensor.concatenated(
      scalars.map { $0.detached().reshaped([1]) }, axis: 0
    ).readLater()
    read.noteArrival()
  }

  /// When the losses arrived, in seconds of the profiler's clock; nil while they have not.
  var arrival: Double? { read.arrival.map { Double($0) / 1e9 } }

  /// Waits for the scalars.
  package func scalars() throws -> StepScalars {
    var values = try read.floats().map(Double.init)[...]
    func next() -> Double { values.popFirst() ?? .nan }
    return StepScalars(
      total: next(), gradientNorm: next(), lossScale: isScaled ? next() : nil,
      losses: Dictionary(uniqueKeysWithValues: names.losses.map { ($0, next()) }),
      measures: Dictionary(uniqueKeysWithValues: names.measures.map { ($0, next()) }))
  }
}

/// The scalars of a step.
package struct StepScalars: Sendable, Equatable {
  /// The sum of the losses.
  package var total: Double
  /// Length of all gradients together, before they were bounded (L2).
  package var gradientNorm: Double
  /// What the sum of the losses was multiplied by; nil when it was not.
  package var lossScale: Double?
  /// Weighted losses by name.
  package var losses: [String: Double]
  /// Other scalars by name.
  package var measures: [String: Double]

  /// What is not a finite number, by the names of the log.
  package var notFinite: [String] {
    let all = losses.merging(measures) { $1 }.merging(
      ["loss": total, "gradient_norm": gradientNorm]) { $1 }
    return all.filter { !$0.value.isFinite }.keys.sorted()
  }
}
