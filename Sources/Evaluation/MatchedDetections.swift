import Formats
import Geometry

/// The detections of all classes, matched with the objects at IoU 0.5.
struct MatchedDetections {
  /// The classes, their lists sorted.
  let classes: [ClassBoxes]
  /// What became of the detections of each class.
  let outcomes: [[MatchOutcome]]

  /// Matches all detections.
  ///
  /// - Parameters:
  ///   - classes: The classes of a protocol.
  ///   - results: Their detections.
  ///   - threads: How many work at once.
  init(_ classes: [ClassBoxes], _ results: DetectionResults, threads: Int) throws {
    let pairs = try Parallel.map(
      Array(classes.indices), threads: threads,
      state: { ClassScorer(options: Self.options(results.boxes.count)) }
    ) { scorer, index in
      var boxes = classes[index]
      boxes.sort()
      return (boxes, try scorer.match(boxes, .boxes(results.boxes)))
    }
    self.classes = pairs.map(\.0)
    outcomes = pairs.map(\.1)
  }

  /// Matches the detections as they are shown: one a place.
  ///
  /// - Parameters:
  ///   - classes: The classes of a protocol.
  ///   - results: Their detections.
  ///   - threads: How many work at once.
  init(shown classes: [ClassBoxes], _ results: DetectionResults, threads: Int) throws {
    let isShown = Self.shown(results, threads: threads)
    try self.init(
      classes.map { boxes in
        var boxes = boxes
        boxes.candidates.removeAll { !isShown[Int($0.index)] }
        return boxes
      }, results, threads: threads)
  }

  /// One threshold, all sizes, no cut.
  private static func options(_ count: Int) -> AveragePrecisionOptions {
    var options = AveragePrecisionOptions(cuts: [max(1, count)])
    options.thresholds = [DetectionErrors.wellPlaced]
    options.areaRanges.removeLast(options.areaRanges.count - 1)
    return options
  }

  /// For each detection whether no surer one of its image covers it.
  private static func shown(_ results: DetectionResults, threads: Int) -> [Bool] {
    var images: [Int: [Int]] = [:]
    for (index, found) in results.boxes.enumerated() {
      images[found.imageID, default: []].append(index)
    }
    let groups = Array(images.values)
    let kept = Parallel.map(count: groups.count, threads: threads, chunk: 16) { number in
      let group = groups[number]
      return Suppression.survivors(
        of: group.map {
          ScoredBox(Box(results.boxes[$0].box), score: Float(results.boxes[$0].score))
        }
      ).map { group[$0] }
    }
    var isShown = [Bool](repeating: false, count: results.boxes.count)
    for index in kept.joined() { isShown[index] = true }
    return isShown
  }

  /// The curve of some classes together.
  ///
  /// - Parameter members: Their positions.
  func curve(of members: [Int]) -> ThresholdCurve {
    var detections: [(score: Double, isRight: Bool)] = []
    var objects = 0
    for member in members {
      objects += classes[member].objects.count { !$0.isIgnored }
      for (candidate, outcome) in zip(classes[member].candidates, outcomes[member]) {
        switch outcome {
        case .right: detections.append((candidate.score, true))
        case .wrong: detections.append((candidate.score, false))
        case .ignored: break
        }
      }
    }
    return ThresholdCurve(detections, objects: objects)
  }

  /// The best threshold of each group that has one.
  func best(_ groups: [(name: String, members: [Int])]) -> [BestThreshold] {
    groups.compactMap { BestThreshold(group: $0.name, curve(of: $0.members)) }
  }
}
