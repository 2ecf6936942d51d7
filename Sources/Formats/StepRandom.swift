/// Where the random choices of a training step come from.
///
/// They depend on the run's seed, the step, what they are for and the image's id, and on nothing
/// else: a step can be replayed alone.
package struct StepRandom: Sendable, Equatable {
  /// The run's seed.
  package var seed: UInt64
  /// The step, counted from 0.
  package var iteration: Int

  package init(seed: UInt64, iteration: Int) {
    self.seed = seed
    self.iteration = iteration
  }

  /// The numbers of one purpose.
  ///
  /// - Parameters:
  ///   - purpose: What they are for, in a word or two.
  ///   - image: The image's id.
  /// - Returns: The sequence at its first number.
  package func numbers(_ purpose: String, image: Int) -> CounterRandom {
    CounterRandom(
      seed: seed, CounterRandom.key(purpose), UInt64(iteration), UInt64(bitPattern: Int64(image)))
  }
}
