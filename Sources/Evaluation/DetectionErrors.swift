import Geometry

/// What a wrong detection or a missed object is, after TIDE (Bolya et al., ECCV 2020).
package enum DetectionErrorKind: String, Sendable, CaseIterable {
  /// Well placed on an object of another class.
  case wrongClass = "wrong class"
  /// Of the right class, but with an IoU under 0.5.
  case misplaced
  /// Neither well placed nor of the right class.
  case both = "wrong class and misplaced"
  /// On an object that a surer detection has found already.
  case duplicate
  /// On nothing: no object has an IoU over 0.1.
  case background
  /// An object that no detection comes near enough to.
  case missed
}

/// How often each kind of error occurs and what it costs: the AP50 without its errors minus the AP50
/// with them, the others unchanged.
///
/// Kinds and their mending are those of TIDE at IoU 0.5 and 0.1: the surest wrong detection of an
/// object that nothing else found becomes right, other wrong ones go, missed objects count no more.
/// The costs do not add up to what is missing from 100.
package struct DetectionErrors: Sendable, Equatable {
  /// One kind of error.
  package struct Cost: Sendable, Equatable {
    /// The kind.
    package let kind: DetectionErrorKind
    /// Wrong detections, or missed objects, of all classes.
    package let count: Int
    /// What the kind costs each group, in AP50 from 0 to 1, in the order of ``groups``.
    package let costs: [Double?]
  }

  static let wellPlaced = 0.5
  static let near = 0.1

  /// The names of the groups of classes.
  package let groups: [String]
  /// The AP50 of each group; nil without objects.
  package let averagePrecisions: [Double?]
  /// The kinds, in the order of ``DetectionErrorKind``.
  package let costs: [Cost]

  /// Finds the errors of all detections.
  ///
  /// - Parameters:
  ///   - classes: The classes of a protocol.
  ///   - results: Their detections.
  ///   - groups: Groups of classes by their positions.
  ///   - threads: How many match at once.
  init(
    _ classes: [ClassBoxes], _ results: DetectionResults,
    groups: [(name: String, members: [Int])], threads: Int
  ) throws {
    let matched = try MatchedDetections(classes, results, threads: threads)
    let errors = Self.errors(of: matched, results)
    self.groups = groups.map(\.name)
    var scorer = ClassScorer(options: AveragePrecisionOptions())
    let counts = matched.classes.map { $0.objects.count { !$0.isIgnored } }
    var missed = [Int](repeating: 0, count: classes.count)
    for error in errors where error.kind == .missed { missed[error.label] += 1 }
    func precisions(mending kind: DetectionErrorKind?) -> [Double?] {
      let mended = Self.rankings(of: matched, errors, mending: kind)
      return classes.indices.map { label -> Double? in
        guard counts[label] > 0 else { return nil }
        let objects = counts[label] - (kind == .missed ? missed[label] : 0)
        guard objects > 0 else { return 0 }
        return scorer.averagePrecision(ranked: mended[label], objects: objects)
      }
    }
    func means(_ values: [Double?]) -> [Double?] {
      groups.map { group in
        let present = group.members.compactMap { values[$0] }
        return present.isEmpty ? nil : present.reduce(0, +) / Double(present.count)
      }
    }
    let own = means(precisions(mending: nil))
    averagePrecisions = own
    costs = DetectionErrorKind.allCases.map { kind in
      let mended = means(precisions(mending: kind))
      return Cost(
        kind: kind, count: errors.count { $0.kind == kind },
        costs: zip(mended, own).map { pair in pair.0.flatMap { after in pair.1.map { after - $0 } }
        })
    }
  }

  /// One wrong detection or missed object.
  private struct Found {
    let kind: DetectionErrorKind
    /// The class of the detection, or of the missed object.
    let label: Int
    /// The position of the detection in its class; -1 for a missed object.
    let candidate: Int
    /// What the detection becomes when it is mended: right for this class; nil when it goes.
    var mendedLabel: Int?
  }

  /// An object in its class.
  private struct Place: Hashable {
    let label: Int
    let object: Int
  }

  private static func errors(
    of matched: MatchedDetections, _ results: DetectionResults
  ) -> [Found] {
    let classes = matched.classes
    var objects: [Int: [Place]] = [:]
    for (label, boxes) in classes.enumerated() {
      for (number, object) in boxes.objects.enumerated() where !object.isIgnored {
        objects[object.image, default: []].append(Place(label: label, object: number))
      }
    }
    let found = Set(
      matched.outcomes.enumerated().flatMap { label, outcomes in
        outcomes.compactMap { outcome -> Place? in
          guard case .right(let object) = outcome else { return nil }
          return Place(label: label, object: object)
        }
      })
    var errors: [Found] = []
    /// The surest error that could have found an object.
    var best: [Place: (score: Double, error: Int)] = [:]
    for (label, boxes) in classes.enumerated() {
      for (number, candidate) in boxes.candidates.enumerated()
      where matched.outcomes[label][number] == .wrong {
        let box = results.boxes[Int(candidate.index)].box
        let (kind, place) = Self.kind(
          of: box, label: label, among: objects[Int(candidate.image)] ?? [], classes)
        if let place, kind == .wrongClass || kind == .misplaced, !found.contains(place),
          candidate.score > best[place]?.score ?? -.infinity
        {
          best[place] = (candidate.score, errors.count)
        }
        errors.append(Found(kind: kind, label: label, candidate: number))
      }
    }
    for (place, surest) in best { errors[surest.error].mendedLabel = place.label }
    for place in objects.values.joined() where !found.contains(place) && best[place] == nil {
      errors.append(Found(kind: .missed, label: place.label, candidate: -1))
    }
    return errors
  }

  /// What a wrong detection is, and the object that it is about.
  private static func kind(
    of box: FileBox, label: Int, among objects: [Place], _ classes: [ClassBoxes]
  ) -> (DetectionErrorKind, Place?) {
    var same: (overlap: Double, place: Place?) = (0, nil)
    var other = same
    for place in objects {
      let overlap = box.overlap(with: classes[place.label].objects[place.object])
      if place.label == label {
        if overlap > same.overlap { same = (overlap, place) }
      } else if overlap > other.overlap {
        other = (overlap, place)
      }
    }
    if same.overlap >= near, same.overlap < wellPlaced { return (.misplaced, same.place) }
    if other.overlap >= wellPlaced { return (.wrongClass, other.place) }
    // The object of its own class is taken, or it would have been right.
    if same.overlap >= wellPlaced { return (.duplicate, same.place) }
    return max(same.overlap, other.overlap) <= near ? (.background, nil) : (.both, other.place)
  }

  /// For each class whether its detections are right, best score first.
  private static func rankings(
    of matched: MatchedDetections, _ errors: [Found], mending kind: DetectionErrorKind?
  ) -> [[Bool]] {
    var lists = matched.classes.map { _ in [(score: Double, index: Int32, isRight: Bool)]() }
    for (label, boxes) in matched.classes.enumerated() {
      for (candidate, outcome) in zip(boxes.candidates, matched.outcomes[label]) {
        if case .right = outcome { lists[label].append((candidate.score, candidate.index, true)) }
      }
    }
    for error in errors where error.candidate >= 0 {
      let candidate = matched.classes[error.label].candidates[error.candidate]
      if error.kind != kind {
        lists[error.label].append((candidate.score, candidate.index, false))
      } else if let label = error.mendedLabel {
        lists[label].append((candidate.score, candidate.index, true))
      }
    }
    return lists.map { list in
      list.sorted { $0.score != $1.score ? $0.score > $1.score : $0.index < $1.index }
        .map(\.isRight)
    }
  }
}
