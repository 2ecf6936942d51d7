import Foundation

/// The learning rate of each iteration: linear warm-up, then steps (spec training 4.2) or a cosine.
package struct Schedule: Sendable, Equatable {
  /// The rate after warm-up.
  package let peak: Double
  /// Iterations of the warm-up; the last of them has the full rate.
  package let warmupIterations: Int
  /// Share of the rate at iteration 0.
  package let warmupFactor: Double
  /// Iterations, counted from 0, from which the rate is multiplied by ``factor``.
  package let milestones: [Int]
  /// What the rate is multiplied by at each milestone.
  package let factor: Double
  /// Iterations of the run, over which the rate falls along half a cosine; nil for steps.
  package let cosineIterations: Int?

  package init(
    peak: Double, warmupIterations: Int, warmupFactor: Double, milestones: [Int] = [],
    factor: Double = 0.1, cosineIterations: Int? = nil
  ) {
    self.peak = peak
    self.warmupIterations = warmupIterations
    self.warmupFactor = warmupFactor
    self.milestones = milestones
    self.factor = factor
    self.cosineIterations = cosineIterations
  }

  /// Creates the schedule of a run.
  ///
  /// - Parameters:
  ///   - optimizer: Rates, warm-up and milestones.
  ///   - iterations: Iterations of the run.
  package init(_ optimizer: RunConfiguration.Optimizer, iterations: Int) {
    self.init(
      peak: optimizer.rate,
      warmupIterations: optimizer.warmupIterations, warmupFactor: optimizer.warmupFactor,
      milestones: optimizer.decay == .steps ? optimizer.milestones : [], factor: optimizer.factor,
      cosineIterations: optimizer.decay == .cosine ? iterations : nil)
  }

  /// The learning rate of an iteration.
  ///
  /// - Parameter iteration: Counted from 0.
  /// - Returns: The rate that this iteration's step uses.
  package func rate(at iteration: Int) -> Double {
    var rate = peak
    // The last iteration of the warm-up has the full rate already.
    if iteration < warmupIterations - 1 {
      let progress = Double(iteration) / Double(warmupIterations - 1)
      rate *= warmupFactor + (1 - warmupFactor) * progress
    }
    if let cosineIterations, iteration >= warmupIterations {
      let fall = Double(max(1, cosineIterations - warmupIterations))
      let progress = min(1, Double(iteration - warmupIterations) / fall)
      rate *= (1 + cos(.pi * progress)) / 2
    }
    for milestone in milestones where iteration >= milestone { rate *= factor }
    return rate
  }
}
