import Formats
import Settings
import Tensors

/// How regions are assigned to ground truth and sampled (spec detector 2.5): keys of the section
/// `head`.
package struct RegionSampling: Sendable, Equatable {
  /// Regions of an image that the losses look at.
  package var rois = 512
  /// Largest share of positive ones among them.
  package var positiveFraction: Float = 0.25
  /// Whether all regions tied at a ground truth's best overlap are positive from ``overlap`` on, as
  /// in Mask R-CNN.
  package var matchLowQuality = false
  /// Overlap from which a region is positive; no key.
  package var overlap: Float = 0.5

  /// Creates the rule of Faster R-CNN.
  package init() {}

  /// Samples regions of a batch from its ground truth and proposals, wholly on the device.
  ///
  /// - Parameters:
  ///   - proposals: The proposals of the batch.
  ///   - truths: The ground truth of each image, which stands before them.
  ///   - background: The background's class.
  ///   - readsPositives: Whether the host will ask for the positives' boxes.
  ///   - random: Where the choice for each image comes from.
  /// - Returns: Boxes, labels and wanted deltas; how many there are is on its way to the host.
  package func sample(
    _ proposals: Proposals, truths: TruthBoxes, background: Int, readsPositives: Bool,
    random: [CounterRandom]
  ) throws -> PendingRegions {
    let candidates = try Self.candidates(proposals, truths: truths)
    let matches = try Tensor.matchedBoxes(candidates, truths: truths, thresholds: thresholds)
    let drawn = try matches.sampledRows(
      BalancedSampler(count: rois, positiveFraction: positiveFraction), random: random)
    let boxes = try candidates.boxes.sampledBoxes(
      drawn, matches: matches, truths: truths, background: background,
      coding: BoxCoder.proposals.coding)
    return try PendingRegions(boxes, counts: drawn.counts, readsPositives: readsPositives)
  }

  /// From which overlap on a region belongs to a ground truth.
  var thresholds: MatchingThresholds {
    MatchingThresholds(
      positive: overlap, negative: overlap, lowQuality: matchLowQuality ? overlap : nil)
  }

  /// The ground truth of each image, its proposals, and empty boxes up to the longest image.
  static func candidates(_ proposals: Proposals, truths: TruthBoxes) throws -> CandidateBoxes {
    let longest = (truths.counts.max() ?? 0) + proposals.limit
    let boxes = try Tensor(
      repeating: 0, shape: [truths.images * longest, 4], on: truths.corners.stream,
      label: "candidates")
    let proposed = proposals.boxes.reshaped([truths.images * proposals.limit, 4])
    var first = 0
    for (image, count) in truths.counts.enumerated() {
      let start = image * longest
      try boxes.copyRows(first..<first + count, of: truths.corners, to: start)
      let own = image * proposals.limit..<(image + 1) * proposals.limit
      try boxes.copyRows(own, of: proposed, to: start + count)
      first += count
    }
    return CandidateBoxes(
      boxes.reshaped([truths.images, longest, 4]),
      grids: [
        CandidateBoxes.Grid(
          count: longest, columns: max(1, longest),
          limits: truths.counts.map { (rows: 1, columns: $0 + proposals.limit) })
      ])
  }
}

extension RegionSampling: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("rois", &rois, .atLeast(1))
    try keys.field("positive_fraction", &positiveFraction, .number(0...1))
    try keys.field("match_low_quality", &matchLowQuality)
  }
}
