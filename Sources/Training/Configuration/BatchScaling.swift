extension RunConfiguration {
  /// The detection images of a step that the schedule is meant for, when this run has others.
  var foreignReferenceBatch: Int? {
    let reference = optimizer.referenceBatch
    return reference == 0 || reference == training.detectionBatch ? nil : reference
  }

  /// The linear rule: the rate in proportion to the batch, the schedule in inverse proportion, so
  /// that the run sees as many images as the published one (spec training 4.6).
  ///
  /// - Returns: The changed configuration, meant for its own batch, and one line about what changed.
  package func scaledToBatch() -> (configuration: RunConfiguration, summary: String) {
    let batch = training.detectionBatch
    guard let reference = foreignReferenceBatch else {
      return (
        self, "--scale-lr changes nothing: the schedule is meant for \(batch) images per step"
      )
    }
    func stretched(_ iterations: Int) -> Int {
      max(1, (iterations * reference + batch / 2) / batch)
    }
    var result = self
    result.optimizer.rate = optimizer.rate * Double(batch) / Double(reference)
    result.optimizer.warmupIterations = stretched(optimizer.warmupIterations)
    result.optimizer.milestones = optimizer.milestones.map(stretched)
    result.optimizer.referenceBatch = batch
    result.training.iterations = stretched(training.iterations)
    let summary =
      "--scale-lr: \(batch) instead of \(reference) detection images per step, so rate "
      + "\(optimizer.rate) -> \(result.optimizer.rate), iterations \(training.iterations) -> "
      + "\(result.training.iterations), warm-up \(optimizer.warmupIterations) -> "
      + "\(result.optimizer.warmupIterations), milestones \(optimizer.milestones) -> "
      + "\(result.optimizer.milestones)"
    return (result, summary)
  }
}
