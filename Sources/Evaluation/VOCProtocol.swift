import Geometry

/// Average precision as the devkit of PASCAL VOC counts it (spec evaluation 5.6).
///
/// A detection is compared with the one object of its class and image that it overlaps most. From the
/// threshold on it is right when the object is still free, wrong when it is taken, and neither when the
/// object is difficult; below the threshold it is wrong.
struct VOCProtocol {
  /// What one number is measured at.
  static let thresholds = [0.5, 0.75]

  let settings: VOCSettings
  let results: DetectionResults

  /// Every class in category order; difficult objects, which a converted file marks as crowds, are
  /// ignored.
  static func classes(
    _ truth: GroundTruth, _ results: DetectionResults, _ selection: DetectionSelection
  ) throws -> [ClassBoxes] {
    try selection.check(results, against: truth)
    return ClassBoxes.divide(
      truth, results, chosen: selection.images(of: truth),
      roles: { (!$0.isEmpty, false) }, isExempt: { _, _ in false },
      indices: results.boxes.indices)
  }

  /// The layout of the scores: both thresholds, all sizes, no cut.
  static var options: AveragePrecisionOptions {
    var options = AveragePrecisionOptions(cuts: [Int.max])
    options.thresholds = thresholds
    options.areaRanges.removeLast(options.areaRanges.count - 1)
    return options
  }

  /// The metric in words.
  var description: String {
    "box AP50 and AP75, \(settings.interpolation.rawValue) interpolation, any number of detections"
      + (settings.countsLastPixel ? ", boxes a pixel wider and higher" : "")
  }

  /// Which rule of the devkit the numbers follow.
  var version: String { settings.interpolation == .area ? "VOC2010 devkit" : "VOC2007 devkit" }

  /// Scores one class whose lists are sorted.
  func score(_ boxes: ClassBoxes) -> ClassScore {
    let count = boxes.objects.count { !$0.isIgnored }
    var score = ClassScore(
      objectCounts: [count], precision: [0, 0], recall: [0, 0])
    guard count > 0 else { return score }
    let ranked = ranking(boxes)
    for (position, threshold) in Self.thresholds.enumerated() {
      var taken = [Bool](repeating: false, count: boxes.objects.count)
      var right = 0.0
      var wrong = 0.0
      var recalls: [Double] = []
      var precisions: [Double] = []
      for found in ranked {
        if found.overlap >= threshold, let object = found.object {
          guard !boxes.objects[object].isIgnored else { continue }
          if taken[object] { wrong += 1 } else { right += 1 }
          taken[object] = true
        } else {
          wrong += 1
        }
        recalls.append(right / Double(count))
        precisions.append(right / (right + wrong))
      }
      score.recall[position] = recalls.last ?? 0
      score.precision[position] = average(recalls, precisions)
    }
    return score
  }

  private struct Ranked {
    let score: Double
    let overlap: Double
    /// The object of the largest overlap; of equal ones the first.
    let object: Int?
  }

  /// The detections of the class with their objects, best score first; equal scores by image.
  private func ranking(_ boxes: ClassBoxes) -> [Ranked] {
    var ranked: [Ranked] = []
    var first = 0
    for candidate in boxes.candidates {
      while first < boxes.objects.count, boxes.objects[first].image < candidate.image { first += 1 }
      var best = 0.0
      var match: Int?
      var index = first
      while index < boxes.objects.count, boxes.objects[index].image == candidate.image {
        let overlap = overlap(results.boxes[Int(candidate.index)].box, boxes.objects[index].box)
        if overlap > best {
          best = overlap
          match = index
        }
        index += 1
      }
      ranked.append(Ranked(score: candidate.score, overlap: best, object: match))
    }
    let order = ranked.indices.sorted { left, right in
      ranked[left].score != ranked[right].score
        ? ranked[left].score > ranked[right].score : left < right
    }
    return order.map { ranked[$0] }
  }

  private func overlap(_ found: FileBox, _ object: FileBox) -> Double {
    let pixel = settings.countsLastPixel ? 1.0 : 0
    let width = min(found.x2, object.x2) - max(found.x1, object.x1) + pixel
    let height = min(found.y2, object.y2) - max(found.y1, object.y1) + pixel
    guard width > 0, height > 0 else { return 0 }
    let shared = width * height
    let area = (found.width + pixel) * (found.height + pixel)
    let other = (object.width + pixel) * (object.height + pixel)
    return shared / (area + other - shared)
  }

  private func average(_ recalls: [Double], _ precisions: [Double]) -> Double {
    var best = precisions
    for index in best.indices.dropLast().reversed() {
      best[index] = max(best[index], best[index + 1])
    }
    switch settings.interpolation {
    case .elevenPoint:
      // The recalls are multiples of 0.1 in double precision, as the devkit's Python translation has them.
      let sum = (0...10).reduce(0.0) { sum, step in
        let place = recalls.firstIndex { $0 >= Double(step) * 0.1 }
        return sum + (place.map { best[$0] } ?? 0)
      }
      return sum / 11
    case .area:
      var area = 0.0
      var last = 0.0
      for (index, recall) in recalls.enumerated() {
        area += (recall - last) * best[index]
        last = recall
      }
      return area
    }
  }
}
