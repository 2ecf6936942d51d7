import Formats
import Tensors

extension BoxHeadConfiguration {
  /// Weights of the classes in the classification loss (spec detector 2.7).
  ///
  /// - Parameter isBase: For each class whether training has boxes of it.
  /// - Returns: 1 for base classes, 0 for the others, then the background's weight.
  package func classWeights(isBase: [Bool]) -> [Float] {
    isBase.map { $0 ? 1 : 0 } + [backgroundWeight]
  }

  /// Draws which words of each region stay in its sentence (spec method 1.7).
  ///
  /// - Parameters:
  ///   - regions: Number of regions.
  ///   - random: Where the choice comes from.
  /// - Returns: For each region a flag per word; at least one is set, the first if none was drawn.
  package func keptWords(regions: Int, random: inout CounterRandom) -> [[Bool]] {
    (0..<regions).map { _ in
      var kept = (0..<words).map { _ in random.uniform() >= wordDropout }
      if !kept.contains(true) { kept[0] = true }
      return kept
    }
  }
}

extension BoxHead {
  /// The losses on sampled regions (spec detector 2.7).
  ///
  /// - Parameters:
  ///   - logits: `[R, C + 1]`, the background last.
  ///   - deltas: `[R, 4]`.
  ///   - targets: The sampled regions.
  ///   - classWeights: C + 1 weights; see ``BoxHeadConfiguration/classWeights(isBase:)``.
  /// - Returns: Two scalars: the classification loss, and the absolute error of the positives'
  ///   deltas over the number of regions.
  package func losses(
    logits: Tensor, deltas: Tensor, targets: RegionTargets, classWeights: [Float]
  ) throws -> (classification: Tensor, box: Tensor) {
    let regions = targets.count
    precondition(
      logits.shape == [regions, classWeights.count] && deltas.shape == [regions, 4],
      "logits \(logits.shape) and deltas \(deltas.shape) for \(regions) regions")
    let divisor = Float(regions) + Self.divisorFloor
    let classification =
      switch configuration.activation {
      case .softmax:
        try logits.softmaxCrossEntropy(
          labels: targets.labels, classWeights: classWeights, excludesZeroWeight: true,
          divisor: divisor)
      case .sigmoid:
        try logits.sigmoidCrossEntropy(
          labels: targets.labels, classWeights: classWeights, divisor: divisor)
      }
    return (classification, try boxLoss(deltas, targets: targets))
  }

  /// The absolute error of the positives' deltas over the number of regions.
  ///
  /// - Parameters:
  ///   - deltas: `[R, 4]`.
  ///   - targets: The sampled regions.
  /// - Returns: A scalar.
  func boxLoss(_ deltas: Tensor, targets: RegionTargets) throws -> Tensor {
    // Without positives one row of zeros keeps the loss connected; no gradient flows through it.
    let positives = targets.positiveRows
    let rows = positives.isEmpty ? [-1] : positives
    let wanted = try targets.deltas.gatheredRows(rows)
    return try deltas.gatheredRows(rows).smoothL1(
      wanted, beta: 0, divisor: Float(max(targets.count, 1)))
  }

  /// Keeps the divisor above 0, as in the reference.
  private static let divisorFloor: Float = 1.19e-7
}
