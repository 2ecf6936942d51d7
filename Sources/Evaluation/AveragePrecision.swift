/// What the COCO metric measures: thresholds, recall points, size ranges and detection cuts.
///
/// Source: spec evaluation 5.4.
package struct AveragePrecisionOptions: Sendable, Equatable {
  /// A range of object areas in square pixels, both ends included.
  package struct AreaRange: Sendable, Equatable {
    /// What it is called: empty for all sizes, else a letter as in "APs".
    package var name: String
    /// The smallest area inside.
    package var lowest: Double
    /// The largest area inside.
    package var highest: Double

    func contains(_ area: Double) -> Bool { !(area < lowest || area > highest) }
  }

  /// The IoU from which a detection may match an object, ascending; at most 64.
  package var thresholds: [Double] = Self.evenlySpaced(from: 0.5, to: 0.95, count: 10)
  /// The recalls at which precision is sampled, ascending.
  package var recallPoints: [Double] = Self.evenlySpaced(from: 0, to: 1, count: 101)
  /// The object sizes that are scored separately; the first stands for all sizes.
  package var areaRanges: [AreaRange] = [
    AreaRange(name: "", lowest: 0, highest: 1e10),
    AreaRange(name: "s", lowest: 0, highest: 32 * 32),
    AreaRange(name: "m", lowest: 32 * 32, highest: 96 * 96),
    AreaRange(name: "l", lowest: 96 * 96, highest: 1e10),
  ]
  /// How many detections of a class in an image are counted, ascending.
  package var cuts: [Int]

  package init(cuts: [Int] = [1, 10, 100]) {
    self.cuts = cuts
  }

  /// The numbers that the reference gets from `linspace`: the same roundings decide equal IoUs.
  static func evenlySpaced(from first: Double, to last: Double, count: Int) -> [Double] {
    let step = (last - first) / Double(count - 1)
    return (0..<count).map { $0 == count - 1 ? last : Double($0) * step + first }
  }

  /// The position of a threshold, or nil when it is not among those measured.
  func position(ofThreshold threshold: Double) -> Int? {
    thresholds.firstIndex { abs($0 - threshold) < 1e-9 }
  }
}

/// The average precision and final recall of one class at each size range, cut and threshold.
struct ClassScore: Sendable, Equatable {
  /// Objects to be found in each size range; 0 leaves the class out of means over that range.
  var objectCounts: [Int]
  /// Mean precision over the recall points, `[range][cut][threshold]` flat; 0 without objects.
  var precision: [Double]
  /// Final recall in the same layout.
  var recall: [Double]
}

/// What became of a detection.
enum MatchOutcome: Sendable, Equatable {
  /// It took an object, given by its position in the class's list.
  case right(object: Int)
  /// A false alarm.
  case wrong
  /// Neither.
  case ignored
}

/// Scores one class after another, keeping its working memory.
struct ClassScorer {
  private let options: AveragePrecisionOptions
  private let cut: Int
  private let everyThreshold: UInt64

  // Per detection of the class, images in order, inside an image by score.
  private var scores: [Double] = []
  private var ranks: [Int32] = []
  /// Bit t: matched at threshold t; one word per size range.
  private var matched: [UInt64] = []
  /// Bit t: neither right nor wrong at threshold t.
  private var ignored: [UInt64] = []
  /// The object that is taken at the first threshold, all sizes; -1 for none.
  private var partners: [Int32] = []
  // Per image.
  private var areas: [Double] = []
  private var overlaps: [Double] = []
  private var taken: [UInt64] = []
  private var objectOrder: [Int] = []
  private var outside: [Bool] = []
  // Per ranking.
  private var recalls: [Double] = []
  private var precisions: [Double] = []

  init(options: AveragePrecisionOptions) {
    precondition(
      !options.cuts.isEmpty && !options.areaRanges.isEmpty && !options.recallPoints.isEmpty
        && (1...64).contains(options.thresholds.count),
      "average precision needs a cut, a size range, a recall point and 1 to 64 thresholds")
    self.options = options
    cut = options.cuts[options.cuts.count - 1]
    everyThreshold = UInt64.max >> UInt64(64 - options.thresholds.count)
  }

  /// Scores one class whose lists are sorted (spec evaluation 5.4, steps 1 to 8).
  mutating func score(_ boxes: ClassBoxes, _ overlaps: Overlaps) throws -> ClassScore {
    var counts = [Int](repeating: 0, count: options.areaRanges.count)
    for object in boxes.objects where !object.isIgnored {
      for (range, area) in options.areaRanges.enumerated() where area.contains(object.area) {
        counts[range] += 1
      }
    }
    let cells = options.areaRanges.count * options.cuts.count * options.thresholds.count
    var score = ClassScore(
      objectCounts: counts, precision: [Double](repeating: 0, count: cells),
      recall: [Double](repeating: 0, count: cells))
    guard counts.contains(where: { $0 > 0 }) else { return score }
    try matchImages(boxes, overlaps)
    accumulate(into: &score)
    return score
  }

  /// Matches one class whose lists are sorted, at the first threshold and for all sizes.
  ///
  /// - Returns: What became of each detection, in the order of the class's candidates.
  mutating func match(_ boxes: ClassBoxes, _ overlaps: Overlaps) throws -> [MatchOutcome] {
    precondition(cut >= boxes.candidates.count, "a cut would leave detections without outcome")
    try matchImages(boxes, overlaps)
    let ranges = options.areaRanges.count
    return scores.indices.map { index in
      if ignored[index * ranges] & 1 != 0 { return .ignored }
      return partners[index] < 0 ? .wrong : .right(object: Int(partners[index]))
    }
  }

  private mutating func matchImages(_ boxes: ClassBoxes, _ overlaps: Overlaps) throws {
    scores.removeAll(keepingCapacity: true)
    ranks.removeAll(keepingCapacity: true)
    matched.removeAll(keepingCapacity: true)
    ignored.removeAll(keepingCapacity: true)
    partners.removeAll(keepingCapacity: true)
    var firstObject = 0
    var first = 0
    while first < boxes.candidates.count {
      let image = boxes.candidates[first].image
      var end = first + 1
      while end < boxes.candidates.count, boxes.candidates[end].image == image { end += 1 }
      while firstObject < boxes.objects.count, boxes.objects[firstObject].image < image {
        firstObject += 1
      }
      var endObject = firstObject
      while endObject < boxes.objects.count, boxes.objects[endObject].image == image {
        endObject += 1
      }
      let candidates = boxes.candidates[first..<min(end, first + cut)]
      let objects = boxes.objects[firstObject..<endObject]
      self.overlaps.removeAll(keepingCapacity: true)
      try overlaps.append(to: &self.overlaps, candidates, objects)
      areas.removeAll(keepingCapacity: true)
      for candidate in candidates {
        areas.append(overlaps.area(ofDetection: Int(candidate.index)))
      }
      matchImage(candidates, objects)
      first = end
      firstObject = endObject
    }
  }

  /// Greedy matching of one image's detections, best score first, in each size range.
  private mutating func matchImage(
    _ candidates: ArraySlice<ClassBoxes.Candidate>, _ objects: ArraySlice<ClassBoxes.Object>
  ) {
    let ranges = options.areaRanges.count
    let start = matched.count
    for (rank, candidate) in candidates.enumerated() {
      scores.append(candidate.score)
      ranks.append(Int32(rank))
      partners.append(-1)
      for _ in 0..<ranges {
        matched.append(0)
        ignored.append(0)
      }
    }
    for (range, area) in options.areaRanges.enumerated() {
      outside.removeAll(keepingCapacity: true)
      for object in objects { outside.append(object.isIgnored || !area.contains(object.area)) }
      // Objects that count come first, each part in file order.
      objectOrder.removeAll(keepingCapacity: true)
      for index in outside.indices where !outside[index] { objectOrder.append(index) }
      for index in outside.indices where outside[index] { objectOrder.append(index) }
      taken.removeAll(keepingCapacity: true)
      for _ in objects { taken.append(0) }
      for (row, candidate) in candidates.enumerated() {
        let cell = start + row * ranges + range
        matchCandidate(cell: cell, row: row, objects)
        if candidate.isExempt || !area.contains(areas[row]) {
          ignored[cell] |= everyThreshold & ~matched[cell]
        }
      }
    }
  }

  /// Finds the object that one detection takes at each threshold.
  private mutating func matchCandidate(
    cell: Int, row: Int, _ objects: ArraySlice<ClassBoxes.Object>
  ) {
    for (position, threshold) in options.thresholds.enumerated() {
      let bit = UInt64(1) << UInt64(position)
      var best = min(threshold, 1 - 1e-10)
      var match = -1
      for index in objectOrder {
        if taken[index] & bit != 0, !objects[objects.startIndex + index].absorbsMany { continue }
        if match >= 0, !outside[match], outside[index] { break }
        let overlap = overlaps[row * objects.count + index]
        // An equal overlap replaces: of two equal objects the later one is taken.
        if overlap < best { continue }
        best = overlap
        match = index
      }
      guard match >= 0 else { continue }
      taken[match] |= bit
      matched[cell] |= bit
      if outside[match] { ignored[cell] |= bit }
      if position == 0, cell % options.areaRanges.count == 0 {
        partners[cell / options.areaRanges.count] = Int32(objects.startIndex + match)
      }
    }
  }

  /// Ranks all detections of the class and fills precision and recall.
  private mutating func accumulate(into score: inout ClassScore) {
    let order = scores.indices.sorted { left, right in
      scores[left] != scores[right] ? scores[left] > scores[right] : left < right
    }
    let ranges = options.areaRanges.count
    var cell = 0
    for range in 0..<ranges {
      // In ranked order once, as every cut and threshold walks through all of them.
      let ranked = order.map { index in
        Ranked(
          rank: ranks[index], matched: matched[index * ranges + range],
          ignored: ignored[index * ranges + range])
      }
      for cut in options.cuts {
        for threshold in options.thresholds.indices {
          defer { cell += 1 }
          let objects = score.objectCounts[range]
          guard objects > 0 else { continue }
          rank(ranked, cut: cut, bit: UInt64(1) << UInt64(threshold), objects: objects)
          score.recall[cell] = recalls.last ?? 0
          score.precision[cell] = interpolatedMean()
        }
      }
    }
  }

  /// A detection in one size range; a bit per threshold.
  private struct Ranked {
    let rank: Int32
    let matched: UInt64
    let ignored: UInt64
  }

  /// Fills the curve of one size range, cut and threshold.
  private mutating func rank(_ ranked: [Ranked], cut: Int, bit: UInt64, objects: Int) {
    recalls.removeAll(keepingCapacity: true)
    precisions.removeAll(keepingCapacity: true)
    var right = 0.0
    var wrong = 0.0
    for found in ranked where found.rank < cut && found.ignored & bit == 0 {
      if found.matched & bit != 0 { right += 1 } else { wrong += 1 }
      recalls.append(right / Double(objects))
      precisions.append(right / (wrong + right + Double.ulpOfOne))
    }
  }

  /// The average precision of a ranking that is known already.
  ///
  /// - Parameters:
  ///   - isRight: For each detection, best score first, whether it is right.
  ///   - objects: How many objects there are; at least 1.
  mutating func averagePrecision(ranked isRight: [Bool], objects: Int) -> Double {
    rank(
      isRight.map { Ranked(rank: 0, matched: $0 ? 1 : 0, ignored: 0) }, cut: 1, bit: 1,
      objects: objects)
    return interpolatedMean()
  }

  /// The mean over the recall points of the best precision at that recall or a higher one.
  private mutating func interpolatedMean() -> Double {
    for index in precisions.indices.dropFirst().reversed()
    where precisions[index] > precisions[index - 1] {
      precisions[index - 1] = precisions[index]
    }
    var sum = 0.0
    var index = 0
    for point in options.recallPoints {
      while index < recalls.count, recalls[index] < point { index += 1 }
      guard index < recalls.count else { break }
      sum += precisions[index]
    }
    return sum / Double(options.recallPoints.count)
  }
}
