import OpenCL
import Tensors

/// What a replica gives in a step, on the device.
package struct ReplicaLosses {
  /// Images that it used.
  package let imageCount: Int
  /// Numbers worth logging.
  package var counts: [String: Int] = [:]
  /// Weighted losses by name.
  package let losses: [String: Tensor]
  /// The sum of the losses, which gradients are of.
  package let total: Tensor
  /// Other scalars by name.
  package var measures: [String: Tensor] = [:]
}

/// What a step gives, still on the device: its losses arrive a step later.
package struct PendingLosses {
  /// The step.
  package let iteration: Int
  /// The learning rate that it used.
  package let learningRate: Float
  /// Images that it used, in this process.
  package let imageCount: Int
  /// Numbers worth logging, summed over the replicas of this process.
  package let counts: [String: Int]
  /// Seconds that the host waited for the step's data.
  var dataWait = 0.0
  private let names: (losses: [String], measures: [String])
  private let replicas: Int
  private let isScaled: Bool
  private let read: PendingRead

  /// Packs the scalars and starts to read them.
  ///
  /// - Parameters:
  ///   - iteration: The step.
  ///   - learningRate: The learning rate that it used.
  ///   - replicas: What each replica of this process gave, with the same names.
  ///   - gradientNorm: Length of all gradients together.
  ///   - lossScale: What the sum was multiplied by; nil when it was not.
  init(
    iteration: Int, learningRate: Float, replicas: [ReplicaLosses], gradientNorm: Tensor,
    lossScale: Tensor?
  ) throws {
    self.iteration = iteration
    self.learningRate = learningRate
    self.replicas = replicas.count
    imageCount = replicas.reduce(0) { $0 + $1.imageCount }
    counts = replicas.reduce(into: [:]) { $0.merge($1.counts, uniquingKeysWith: +) }
    isScaled = lossScale != nil
    let names = (
      losses: replicas.first?.losses.keys.sorted() ?? [],
      measures: replicas.first?.measures.keys.sorted() ?? []
    )
    self.names = names
    let scalars =
      [gradientNorm] + (lossScale.map { [$0] } ?? [])
      + replicas.flatMap { replica in
        [replica.total] + names.losses.compactMap { replica.losses[$0] }
          + names.measures.compactMap { replica.measures[$0] }
      }
    read = try Tensor.concatenated(
      scalars.map { $0.detached().reshaped([1]) }, axis: 0
    ).readLater()
    read.noteArrival()
  }

  /// When the losses arrived, in seconds of the profiler's clock; nil while they have not.
  var arrival: Double? { read.arrival.map { Double($0) / 1e9 } }

  /// Waits for the scalars.
  ///
  /// - Returns: The scalars; losses and measures are summed over the replicas of this process.
  package func scalars() throws -> StepScalars {
    var values = try read.floats().map(Double.init)[...]
    func next() -> Double { values.popFirst() ?? .nan }
    var sum = StepScalars(
      total: 0, gradientNorm: next(), lossScale: isScaled ? next() : nil, losses: [:],
      measures: [:])
    for _ in 0..<replicas {
      sum.total += next()
      for name in names.losses { sum.losses[name, default: 0] += next() }
      for name in names.measures { sum.measures[name, default: 0] += next() }
    }
    return sum
  }
}

/// The scalars of a step.
package struct StepScalars: Sendable, Equatable {
  /// The sum of the losses; over replicas until ``TrainingLoop`` takes the mean.
  package var total: Double
  /// Length of all gradients together, before they were bounded (L2).
  package var gradientNorm: Double
  /// What the sum of the losses was multiplied by; nil when it was not.
  package var lossScale: Double?
  /// Weighted losses by name.
  package var losses: [String: Double]
  /// Other scalars by name.
  package var measures: [String: Double]

  /// Makes sums over all replicas their means.
  ///
  /// - Parameters:
  ///   - replicas: How many there are.
  ///   - counts: Numbers worth logging, summed over replicas too.
  /// - Returns: The means of the counts.
  mutating func takeMeans(of replicas: Int, counts: [String: Int]) -> [String: Double] {
    let count = Double(replicas)
    total /= count
    losses = losses.mapValues { $0 / count }
    measures = measures.mapValues { $0 / count }
    return counts.mapValues { Double($0) / count }
  }

  /// What is not a finite number, by the names of the log.
  package var notFinite: [String] {
    let all = losses.merging(measures) { $1 }.merging(
      ["loss": total, "gradient_norm": gradientNorm]) { $1 }
    return all.filter { !$0.value.isFinite }.keys.sorted()
  }
}
