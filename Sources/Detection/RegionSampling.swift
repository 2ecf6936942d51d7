import Formats

/// The regions of one image that train the box head (spec detector 2.5).
public struct RegionSample: Sendable, Equatable {
  /// Sampled boxes, positives first.
  public var boxes: [Box]
  /// Class of each positive.
  public var labels: [Int]
  /// Wanted deltas of the positives, four each.
  public var targets: [Float]

  /// Creates a sample.
  ///
  /// - Parameters:
  ///   - boxes: Sampled boxes, positives first.
  ///   - labels: Class of each positive.
  ///   - targets: Wanted deltas of the positives, four each.
  public init(boxes: [Box], labels: [Int], targets: [Float]) {
    precondition(
      labels.count <= boxes.count && targets.count == 4 * labels.count,
      "a region sample needs a class and four deltas per positive")
    self.boxes = boxes
    self.labels = labels
    self.targets = targets
  }
}

/// How regions are assigned to ground truth and sampled (spec detector 2.5).
public struct RegionSampling: Sendable, Equatable {
  /// Regions per image.
  public var samples = 512
  /// Largest share of positives among them.
  public var positiveFraction = 0.25
  /// Overlap from which a region is positive.
  public var overlap: Float = 0.5
  /// Whether all regions tied at a ground truth's best overlap are positive from ``overlap`` on.
  public var matchesLowQuality = false

  /// Creates the rule of Faster R-CNN.
  public init() {}

  /// Ground truth, then proposals: what sampled indices count.
  ///
  /// - Parameters:
  ///   - proposals: The proposals of an image.
  ///   - groundTruth: Its ground truth.
  /// - Returns: All candidate boxes.
  public func candidates(_ proposals: [Box], _ groundTruth: GroundTruth) -> [Box] {
    groundTruth.boxes + proposals
  }

  /// Samples regions of one image.
  ///
  /// - Parameters:
  ///   - proposals: The proposals of the image.
  ///   - groundTruth: Its ground truth.
  ///   - random: Where the choice comes from.
  /// - Returns: The sample with labels and wanted deltas.
  public func sample(
    proposals: [Box], groundTruth: GroundTruth, random: inout CounterRandom
  ) -> RegionSample {
    let candidates = candidates(proposals, groundTruth)
    let assigned = matcher.assign(candidates, to: groundTruth.boxes)
    let sampler = BalancedSampler(count: samples, positiveFraction: positiveFraction)
    let chosen = sampler.sample(assigned, random: &random)
    return sample(
      candidates: candidates, groundTruth: groundTruth, positives: chosen.positives,
      matched: chosen.positives.map { Int(assigned[$0]) - 1 }, negatives: chosen.negatives)
  }

  /// The assignment rule.
  public var matcher: Matcher {
    Matcher(
      positive: overlap, negative: overlap, lowQuality: matchesLowQuality ? overlap : nil)
  }

  /// Labels and wanted deltas of a given choice.
  ///
  /// - Parameters:
  ///   - candidates: Ground truth, then proposals.
  ///   - groundTruth: The image's ground truth.
  ///   - positives: Indices of positive candidates.
  ///   - matched: The ground truth of each positive.
  ///   - negatives: Indices of negative candidates.
  /// - Returns: The sample.
  public func sample(
    candidates: [Box], groundTruth: GroundTruth, positives: [Int], matched: [Int],
    negatives: [Int]
  ) -> RegionSample {
    RegionSample(
      boxes: (positives + negatives).map { candidates[$0] },
      labels: matched.map { groundTruth.labels[$0] },
      targets: zip(positives, matched).flatMap {
        BoxCoder.region.encoded(candidates[$0], as: groundTruth.boxes[$1])
      })
  }
}
