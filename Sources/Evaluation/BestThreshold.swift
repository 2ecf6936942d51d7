import Formats

/// The score from which on the detections of a group of classes are worth showing: that of the best
/// F1 (the harmonic mean of precision and recall) at IoU 0.5.
///
/// Detections count as they are shown: of those that overlap by an IoU over
/// ``Suppression/sameObject`` the surest, whatever its class. The classes of the group are pooled.
package struct BestThreshold: Sendable, Equatable {
  /// What counts where nothing is right.
  package static let usual = 0.3

  /// "base", "novel", or "all" without a split.
  package let group: String
  /// Detections of this score or more are shown.
  package let score: Double
  /// The best F1, from 0 to 1.
  package let f1: Double
  /// The share of right ones among the detections shown.
  package let precision: Double
  /// The share of objects that are found.
  package let recall: Double
  /// Objects of the group.
  package let objects: Int

  /// The best threshold of a curve, or nil when nothing is right.
  init?(group: String, _ curve: ThresholdCurve) {
    guard let best = curve.best else { return nil }
    self.group = group
    score = best.score
    f1 = best.f1
    precision = best.precision
    recall = best.recall
    objects = curve.objects
  }

  /// The threshold as JSON.
  var json: JSONValue {
    [
      "score": .number(score), "f1": .number(f1), "precision": .number(precision),
      "recall": .number(recall), "objects": .number(Double(objects)),
    ]
  }
}

/// Precision and recall of a group of classes at every threshold.
package struct ThresholdCurve: Sendable, Equatable {
  /// All detections of at least a score.
  package struct Point: Sendable, Equatable {
    /// The lowest score shown.
    package let score: Double
    /// The share of right ones among those shown.
    package let precision: Double
    /// The share of objects found.
    package let recall: Double

    /// The harmonic mean of precision and recall.
    package var f1: Double {
      precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0
    }
  }

  /// Objects to be found.
  package let objects: Int
  /// One point for each score that occurs, falling.
  package let points: [Point]

  /// Ranks detections.
  ///
  /// - Parameters:
  ///   - detections: Scores, and whether each is right, in any order.
  ///   - objects: How many objects are to be found.
  init(_ detections: [(score: Double, isRight: Bool)], objects: Int) {
    self.objects = objects
    guard objects > 0 else {
      points = []
      return
    }
    var points: [Point] = []
    var right = 0
    let ranked = detections.sorted { $0.score > $1.score }
    for (index, found) in ranked.enumerated() {
      right += found.isRight ? 1 : 0
      // Of equal scores all are shown or none.
      guard index + 1 == ranked.count || ranked[index + 1].score < found.score else { continue }
      points.append(
        Point(
          score: found.score, precision: Double(right) / Double(index + 1),
          recall: Double(right) / Double(objects)))
    }
    self.points = points
  }

  /// The point of the best F1, of equal ones that of the highest score; nil when nothing is right.
  package var best: Point? {
    var best: Point?
    for point in points where point.f1 > best?.f1 ?? 0 { best = point }
    return best
  }
}
