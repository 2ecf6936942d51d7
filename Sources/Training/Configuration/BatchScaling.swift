import Formats
import Loading

extension RunConfiguration {
  /// The configuration with its number of replicas written out.
  ///
  /// - Parameter processes: How many processes train.
  /// - Throws: ``ConfigurationError`` when processes would carry different numbers of replicas.
  package func sharing(among processes: Int) throws(ConfigurationError) -> RunConfiguration {
    var result = self
    result.training.replicas = try ReplicaShare(
      of: training.replicas, processes: processes
    ).count
    return result
  }

  /// What a step has when so many processes train, one line.
  ///
  /// - Parameter processes: How many.
  /// - Throws: ``ConfigurationError`` when processes would carry different numbers of replicas.
  package func stepSummary(processes: Int) throws(ConfigurationError) -> String {
    let replicas = try sharing(among: processes).training.replicas
    let streams = ImageStream.allCases.filter { stream in
      stream == .detection || methods.contains { $0.stream == stream }
    }
    let images = streams.map { "\(replicas * training.batch(of: $0)) \($0.rawValue)" }
    return "\(replicas, "replica") on \(processes, "process"); images of a step: "
      + images.joined(separator: ", ")
  }

  /// Detection images of a step, over all replicas; of one where their number is not known yet.
  package var stepDetectionImages: Int { training.detectionBatch * max(1, training.replicas) }

  /// The detection images of a step that the schedule is meant for, when this run has others.
  var foreignReferenceBatch: Int? {
    let reference = optimizer.referenceBatch
    return reference == 0 || reference == stepDetectionImages ? nil : reference
  }

  /// What to say when the schedule is meant for other batches, or nil.
  var foreignBatchWarning: String? {
    guard let reference = foreignReferenceBatch else { return nil }
    let own =
      training.replicas > 1
      ? "\(training.replicas, "replica") with training.detection_batch \(training.detectionBatch) "
        + "have \(stepDetectionImages)"
      : "training.detection_batch is \(training.detectionBatch)"
    return "optimizer.rate \(optimizer.rate) and the schedule are meant for \(reference) detection "
      + "images per step, but \(own); --scale-lr scales both in proportion"
  }

  /// What to say where statistics of batch norm do not span all replicas, or nil.
  func batchNormWarning(_ share: ReplicaShare) -> String? {
    let norms =
      [model.backbone.norm, model.neck.norm, model.head.norm]
      + (model.mask.enabled ? [model.mask.norm] : [])
    guard share.own.count > 1, norms.contains(.batch) else { return nil }
    return "norm: batch takes its statistics over the \(share.count / share.own.count) of "
      + "\(share.count, "replica") that run at the same time, and not over all of them; give as "
      + "many processes, or norm: frozen"
  }

  /// The linear rule: the rate in proportion to the batch, the schedule in inverse proportion, so
  /// that the run sees as many images as the published one (spec training 4.6).
  ///
  /// - Returns: The changed configuration, meant for its own batch, and one line about what changed.
  package func scaledToBatch() -> (configuration: RunConfiguration, summary: String) {
    let batch = stepDetectionImages
    guard let reference = foreignReferenceBatch else {
      return (
        self, "--scale-lr changes nothing: the schedule is meant for \(batch, "image") per step"
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
      "--scale-lr: \(batch) instead of \(reference, "detection image") per step, so rate "
      + "\(optimizer.rate) -> \(result.optimizer.rate), iterations \(training.iterations) -> "
      + "\(result.training.iterations), warm-up \(optimizer.warmupIterations) -> "
      + "\(result.optimizer.warmupIterations), milestones \(optimizer.milestones) -> "
      + "\(result.optimizer.milestones)"
    return (result, summary)
  }
}
