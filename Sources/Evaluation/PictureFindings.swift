import Annotations
import Geometry

/// A detection as it is shown, or an object that none found.
package struct PictureMark: Sendable, Equatable {
  /// What it is; nil for a right detection.
  package let error: DetectionErrorKind?
  /// Where, in pixels of the picture.
  package let box: FileBox
  /// The class of the detection, or of the missed object.
  package let name: String
  /// The class of the object that a detection of a wrong class lies on.
  package let truth: String?
  /// How sure the detector is; nil for a missed object.
  package let score: Double?
}

/// What is right and wrong about the detections shown on one picture.
package struct PictureFindings: Sendable, Equatable {
  /// The picture, as a position in the annotations' images.
  package let image: Int
  /// Detections and missed objects, surest first.
  package let marks: [PictureMark]

  /// How bad it is: a point for each missed object, the score for each wrong detection.
  package var badness: Double {
    marks.reduce(0) { $0 + ($1.error == nil ? 0 : $1.score ?? 1) }
  }
}

/// How often objects of each class are taken for each class.
package struct ConfusionMatrix: Sendable, Equatable {
  /// The class names; the index after the last stands for background.
  package let names: [String]
  /// How often, `[class of the object][class of the detection]`; a missed object is in the last
  /// column, a detection on nothing in the last row.
  package private(set) var counts: [[Int]]

  init(names: [String]) {
    self.names = names
    counts = Array(
      repeating: [Int](repeating: 0, count: names.count + 1), count: names.count + 1)
  }

  mutating func add(truth: Int?, found: Int?) {
    counts[truth ?? names.count][found ?? names.count] += 1
  }

  /// The classes that are taken for another one most often, in class order.
  ///
  /// - Parameter limit: The most.
  /// - Returns: Their positions; all classes with an object or a detection when they are few.
  package func mostConfused(_ limit: Int) -> [Int] {
    let present = names.indices.filter { index in
      counts[index].contains { $0 > 0 } || counts.contains { $0[index] > 0 }
    }
    guard present.count > limit else { return present }
    func confusions(_ index: Int) -> Int {
      names.indices.reduce(0) { sum, other in
        other == index ? sum : sum + counts[index][other] + counts[other][index]
      }
    }
    let measured = present.map { index in
      (index: index, confusions: confusions(index), all: counts[index].reduce(0, +))
    }
    let ranked = measured.sorted { left, right in
      if left.confusions != right.confusions { return left.confusions > right.confusions }
      return left.all != right.all ? left.all > right.all : left.index < right.index
    }
    return ranked.prefix(limit).map(\.index).sorted()
  }
}

/// Right and wrong of the detections that are shown, picture by picture.
struct ShownPictures {
  private(set) var pictures: [PictureFindings] = []
  private(set) var confusion: ConfusionMatrix

  /// Looks at all pictures.
  ///
  /// - Parameters:
  ///   - shown: The detections as they are shown.
  ///   - truth: The objects.
  ///   - results: The detections.
  ///   - thresholds: For each class the least score shown; nil shows none.
  init(
    _ shown: MatchedDetections, _ truth: GroundTruth, _ results: DetectionResults,
    thresholds: [Double?]
  ) {
    confusion = ConfusionMatrix(names: truth.categories.map(\.name))
    var objects: [Int: [Item]] = [:]
    var found: [Int: [Item]] = [:]
    for (label, boxes) in shown.classes.enumerated() {
      for object in boxes.objects where !object.isIgnored {
        objects[object.image, default: []].append(Item(label: label, box: object.box))
      }
      for (candidate, outcome) in zip(boxes.candidates, shown.outcomes[label])
      where outcome != .ignored {
        guard let threshold = thresholds[label], candidate.score >= threshold else { continue }
        found[Int(candidate.image), default: []].append(
          Item(
            label: label, box: results.boxes[Int(candidate.index)].box, score: candidate.score))
      }
    }
    for image in truth.imageOrder.indices where objects[image] != nil || found[image] != nil {
      let marks = marks(
        (found[image] ?? []).sorted { ($0.score ?? 0) > ($1.score ?? 0) }, objects[image] ?? [])
      pictures.append(PictureFindings(image: Int(truth.imageOrder[image]), marks: marks))
    }
  }

  private struct Item {
    let label: Int
    let box: FileBox
    var score: Double?
  }

  /// Pairs detections with objects of any class, the largest overlap first.
  private static func pairs(_ found: [Item], _ objects: [Item]) -> [Int?] {
    var overlaps: [(overlap: Double, found: Int, object: Int)] = []
    for (row, one) in found.enumerated() {
      for (column, other) in objects.enumerated() {
        let overlap = one.box.iou(with: other.box)
        if overlap >= DetectionErrors.wellPlaced { overlaps.append((overlap, row, column)) }
      }
    }
    // Of equal overlaps, the right class first.
    func isRight(_ pair: (overlap: Double, found: Int, object: Int)) -> Bool {
      found[pair.found].label == objects[pair.object].label
    }
    overlaps.sort { left, right in
      if left.overlap != right.overlap { return left.overlap > right.overlap }
      if isRight(left) != isRight(right) { return isRight(left) }
      return (left.found, left.object) < (right.found, right.object)
    }
    var partners = [Int?](repeating: nil, count: found.count)
    var taken: Set<Int> = []
    for pair in overlaps where partners[pair.found] == nil && !taken.contains(pair.object) {
      partners[pair.found] = pair.object
      taken.insert(pair.object)
    }
    return partners
  }

  private mutating func marks(_ found: [Item], _ objects: [Item]) -> [PictureMark] {
    let partners = Self.pairs(found, objects)
    let names = confusion.names
    var marks = zip(found, partners).map { item, partner in
      let object = partner.map { objects[$0] }
      confusion.add(truth: object?.label, found: item.label)
      let error: DetectionErrorKind? =
        if let object {
          object.label == item.label ? nil : .wrongClass
        } else {
          Self.error(of: item, among: objects)
        }
      return PictureMark(
        error: error, box: item.box, name: names[item.label],
        truth: error == .wrongClass ? object.map { names[$0.label] } : nil, score: item.score)
    }
    let taken = Set(partners.compactMap { $0 })
    for (index, object) in objects.enumerated() where !taken.contains(index) {
      confusion.add(truth: object.label, found: nil)
      marks.append(
        PictureMark(
          error: .missed, box: object.box, name: names[object.label], truth: nil, score: nil))
    }
    return marks
  }

  /// What a detection is that no object belongs to.
  private static func error(of item: Item, among objects: [Item]) -> DetectionErrorKind {
    let overlaps = objects.map { (label: $0.label, overlap: item.box.iou(with: $0.box)) }
    let same = overlaps.filter { $0.label == item.label }.map(\.overlap).max() ?? 0
    if same >= DetectionErrors.wellPlaced { return .duplicate }
    if same >= DetectionErrors.near { return .misplaced }
    return overlaps.contains { $0.overlap > DetectionErrors.near } ? .both : .background
  }
}

extension FileBox {
  /// Intersection over union in double precision.
  fileprivate func iou(with other: FileBox) -> Double {
    let shared = overlap(with: other)
    return shared > 0 ? shared / (area + other.area - shared) : 0
  }
}
