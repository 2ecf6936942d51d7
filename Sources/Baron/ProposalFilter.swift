import Geometry
import Settings

/// Chooses the proposals that bags are sampled around (spec method 1.3).
package struct ProposalFilter: Sendable, Equatable {
  /// How many proposals of an image are looked at, by score.
  package var topCount: Int
  /// Smallest width over height; its inverse is the largest.
  package var shapeRatio: Float = 0.25
  /// Smallest share of the image's area.
  package var areaRatio: Float = 0.01
  /// Smallest score.
  package var objectness: Float = 0.85
  /// A proposal that overlaps a better one by a larger IoU is dropped.
  package var overlap: Float
  /// The image box is one pixel smaller than the image (CLIP supervision) or as large (captions);
  /// no key.
  let usesInclusiveImageBox: Bool

  package init(topCount: Int = 300, overlap: Float = 0.1, usesInclusiveImageBox: Bool = true) {
    self.topCount = topCount
    self.overlap = overlap
    self.usesInclusiveImageBox = usesInclusiveImageBox
  }

  /// The box of the whole image.
  ///
  /// - Parameters:
  ///   - width: The image's unpadded width.
  ///   - height: The image's unpadded height.
  package func imageBox(width: Float, height: Float) -> Box {
    let less: Float = usesInclusiveImageBox ? 1 : 0
    return Box(x1: 0, y1: 0, x2: width - less, y2: height - less)
  }

  /// Applies steps 2 to 7 of spec method 1.3 to one image.
  ///
  /// - Parameters:
  ///   - proposals: The network's proposals.
  ///   - groundTruth: Boxes of base classes that are put in front with score 1; none to leave out.
  ///   - width: The image's unpadded width.
  ///   - height: The image's unpadded height.
  /// - Returns: At least one box, by falling score; equal scores in their original order.
  package func callAsFunction(
    _ proposals: [ScoredBox], groundTruth: [Box], width: Float, height: Float
  ) -> [ScoredBox] {
    let image = imageBox(width: width, height: height)
    let boxes =
      groundTruth.map { ScoredBox($0, score: 1) } + Self.best(topCount, of: proposals)
    guard let first = boxes.first else { return [ScoredBox(image, score: 1)] }
    let valid = boxes.filter { isValid($0, image: image) }
    guard !valid.isEmpty else {
      // Nothing fits: the best box alone, whatever its shape.
      return [boxes.dropFirst().reduce(first) { $1.score > $0.score ? $1 : $0 }]
    }
    return Self.suppressed(valid, overlap: overlap)
  }

  private func isValid(_ candidate: ScoredBox, image: Box) -> Bool {
    let box = candidate.box
    let ratio = box.width / (box.height + 1e-12)
    let share = box.overlap(with: image) / image.area
    return ratio > shapeRatio && ratio < 1 / shapeRatio && share > areaRatio
      && candidate.score > objectness
  }

  /// The best `count` boxes by score; equal scores in their original order.
  static func best(_ count: Int, of boxes: [ScoredBox]) -> [ScoredBox] {
    Array(sortedByScore(boxes).prefix(count))
  }

  private static func sortedByScore(_ boxes: [ScoredBox]) -> [ScoredBox] {
    boxes.enumerated().sorted {
      $0.element.score != $1.element.score
        ? $0.element.score > $1.element.score : $0.offset < $1.offset
    }.map(\.element)
  }

  /// Greedy non-maximum suppression: strictly larger overlaps with a better box are dropped.
  static func suppressed(_ boxes: [ScoredBox], overlap: Float) -> [ScoredBox] {
    var kept: [ScoredBox] = []
    for candidate in sortedByScore(boxes)
    where !kept.contains(where: { $0.box.iou(with: candidate.box) > overlap }) {
      kept.append(candidate)
    }
    return kept
  }
}

extension ProposalFilter: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("top_count", &topCount, .atLeast(1))
    try keys.field("shape_ratio", &shapeRatio, .number(0...1))
    try keys.field("area_ratio", &areaRatio, .number(0...1))
    try keys.field("objectness", &objectness, .number(0...1))
    try keys.field("overlap", &overlap, .number(0...1))
  }
}
