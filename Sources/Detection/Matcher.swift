/// Assigns ground truth to boxes by their IoU.
///
/// Source: spec detector 2.3, Targets; 2.5.
public struct Matcher: Sendable, Equatable {
  /// The match of a box that is to be classified as background.
  public static let background: Int32 = -1
  /// The match of a box that is left out of the losses.
  public static let ignored: Int32 = -2

  /// Least best IoU of a positive box.
  public let positiveThreshold: Float
  /// The best IoU of a negative box is below it.
  public let negativeThreshold: Float
  /// Least best IoU of a ground truth that still takes the boxes tied at it, or nil without that rule.
  public let lowQualityThreshold: Float?

  /// Describes an assignment.
  ///
  /// - Parameters:
  ///   - positiveThreshold: Least best IoU of a positive box.
  ///   - negativeThreshold: The best IoU of a negative box is below it.
  ///   - lowQualityThreshold: Least best IoU of a ground truth that still takes the boxes tied at it,
  ///     or nil without that rule.
  public init(
    positiveThreshold: Float, negativeThreshold: Float, lowQualityThreshold: Float? = nil
  ) {
    self.positiveThreshold = positiveThreshold
    self.negativeThreshold = negativeThreshold
    self.lowQualityThreshold = lowQualityThreshold
  }

  /// Anchors of the region proposal network.
  public static let anchors = Matcher(
    positiveThreshold: 0.7, negativeThreshold: 0.3, lowQualityThreshold: 0.3)

  /// Proposals of Faster R-CNN.
  public static let proposals = Matcher(positiveThreshold: 0.5, negativeThreshold: 0.5)

  /// Proposals of Mask R-CNN.
  public static let maskProposals = Matcher(
    positiveThreshold: 0.5, negativeThreshold: 0.5, lowQualityThreshold: 0.5)

  /// What boxes are matched with.
  public struct Matches: Sendable, Equatable {
    /// One a box: an index of the ground truth, ``Matcher/background`` or ``Matcher/ignored``.
    public var truths: [Int32]
    /// The best IoU of each box with any ground truth; 0 for boxes that are not valid.
    public var overlaps: [Float]
  }

  /// Matches boxes with ground truth.
  ///
  /// Among equal ground truths a box takes the first. With the low-quality rule every ground truth,
  /// in order, then takes all boxes tied at its best IoU, so later ones win.
  ///
  /// - Parameters:
  ///   - boxes: Anchors or proposals.
  ///   - truths: Ground truth without crowds.
  ///   - isValid: Boxes to take part; others are ignored. nil takes all.
  /// - Returns: One match a box.
  public func matches(boxes: [Box], truths: [Box], isValid: [Bool]? = nil) -> Matches {
    precondition(isValid.map { $0.count == boxes.count } ?? true, "one validity flag a box")
    var overlaps = [Float](repeating: 0, count: boxes.count)
    var best = [Int32](repeating: 0, count: boxes.count)
    var tied: [[Int32]] = []
    for (index, truth) in truths.enumerated() {
      var bestOverlap: Float = -1
      var bestBoxes: [Int32] = []
      for box in boxes.indices where isValid?[box] ?? true {
        let overlap = truth.iou(with: boxes[box])
        if overlap > overlaps[box] {
          overlaps[box] = overlap
          best[box] = Int32(index)
        }
        if overlap > bestOverlap {
          bestOverlap = overlap
          bestBoxes.removeAll(keepingCapacity: true)
        }
        if overlap == bestOverlap { bestBoxes.append(Int32(box)) }
      }
      let counts = lowQualityThreshold.map { bestOverlap >= $0 } ?? false
      tied.append(counts ? bestBoxes : [])
    }
    var result = boxes.indices.map { box in
      guard isValid?[box] ?? true else { return Self.ignored }
      if !truths.isEmpty, overlaps[box] >= positiveThreshold { return best[box] }
      return overlaps[box] < negativeThreshold ? Self.background : Self.ignored
    }
    for (index, boxes) in tied.enumerated() {
      for box in boxes { result[Int(box)] = Int32(index) }
    }
    return Matches(truths: result, overlaps: overlaps)
  }
}
