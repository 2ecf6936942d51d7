/// The regions of one image that the heads are trained on, positives first, with their targets.
///
/// Source: spec detector 2.5, RoI assignment and sampling.
public struct RegionTargets: Sendable, Equatable {
  /// Sampled boxes: positives, then negatives.
  public let boxes: [Box]
  /// Class of each box; `background` for negatives.
  public let labels: [Int32]
  /// How many of the boxes are positive.
  public let positiveCount: Int
  /// Ground truth of each positive.
  public let matchedTruths: [Int]
  /// Normalised deltas to the ground truth, four a positive.
  public let deltas: [Float]

  /// Lays out a sample.
  ///
  /// - Parameters:
  ///   - candidates: Ground truth, then proposals.
  ///   - matches: One a candidate, as ``Matcher/Matches/truths``.
  ///   - sample: Which candidates to take.
  ///   - truths: Ground truth boxes.
  ///   - labels: Ground truth classes.
  ///   - background: The background's class.
  ///   - coder: Normalisation of the deltas.
  public init(
    candidates: [Box], matches: [Int32], sample: BalancedSampler.Sample, truths: [Box],
    labels: [Int32], background: Int32, coder: BoxCoder
  ) {
    boxes = (sample.positives + sample.negatives).map { candidates[$0] }
    positiveCount = sample.positives.count
    matchedTruths = sample.positives.map { Int(matches[$0]) }
    self.labels =
      matchedTruths.map { labels[$0] }
      + [Int32](repeating: background, count: sample.negatives.count)
    deltas = zip(sample.positives, matchedTruths).flatMap { candidate, truth in
      coder.encoded(truths[truth], from: candidates[candidate])
    }
  }
}
