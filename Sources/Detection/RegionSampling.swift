import Formats

/// How regions are assigned to ground truth and sampled (spec detector 2.5).
public struct RegionSampling: Sendable, Equatable {
  /// Regions per image.
  public var samples = 512
  /// Largest share of positives among them.
  public var positiveFraction: Float = 0.25
  /// Overlap from which a region is positive.
  public var overlap: Float = 0.5
  /// Whether all regions tied at a ground truth's best overlap are positive from ``overlap`` on, as
  /// in Mask R-CNN.
  public var matchesLowQuality = false

  /// Creates the rule of Faster R-CNN.
  public init() {}

  /// Matches the candidates of one image, ground truth then proposals, with ground truth.
  ///
  /// - Parameters:
  ///   - proposals: The proposals of the image.
  ///   - groundTruth: Its ground truth.
  /// - Returns: One match a candidate, as ``Matcher/Matches/truths``.
  public func matches(proposals: [Box], groundTruth: TargetBoxes) -> [Int32] {
    Matcher(
      positiveThreshold: overlap, negativeThreshold: overlap,
      lowQualityThreshold: matchesLowQuality ? overlap : nil
    ).matches(boxes: groundTruth.boxes + proposals, truths: groundTruth.boxes).truths
  }

  /// Samples regions of one image from its ground truth and proposals.
  ///
  /// - Parameters:
  ///   - proposals: The proposals of the image.
  ///   - groundTruth: Its ground truth, which stands before them.
  ///   - classes: Number of classes; the background's label.
  ///   - random: Where the choice comes from.
  /// - Returns: Boxes, labels and wanted deltas, positives first.
  public func sample(
    proposals: [Box], groundTruth: TargetBoxes, classes: Int, random: inout CounterRandom
  ) -> RegionTargets {
    let matches = matches(proposals: proposals, groundTruth: groundTruth)
    let chosen = BalancedSampler(count: samples, positiveFraction: positiveFraction)
      .sample(matches: matches, using: &random)
    return RegionTargets(
      candidates: groundTruth.boxes + proposals, matches: matches, sample: chosen,
      truths: groundTruth.boxes,
      labels: groundTruth.labels.map { Int32($0) }, background: Int32(classes), coder: .proposals)
  }
}
