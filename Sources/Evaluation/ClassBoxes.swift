import Annotations
import Geometry

/// The objects and detections of one class, by ascending image; detections best score first.
struct ClassBoxes: Sendable {
  /// What an annotation is to a protocol.
  typealias Roles = (isIgnored: Bool, absorbsMany: Bool)

  struct Object: Sendable {
    var image: Int
    /// The position in the ground truth's annotations.
    var index: Int
    var box: FileBox
    var area: Double
    /// Neither to be found nor a false alarm.
    var isIgnored: Bool
    /// A crowd: it can be matched again and again, by overlap over the detection's area.
    var absorbsMany: Bool
  }

  /// Small, as a results file may have millions.
  struct Candidate: Sendable {
    var image: Int32
    /// The position in the results.
    var index: Int32
    var score: Double
    /// No false alarm when it matches nothing.
    var isExempt: Bool
  }

  var objects: [Object] = []
  var candidates: [Candidate] = []

  /// Brings both lists into the order that matching needs; equal scores keep the file's order.
  mutating func sort() {
    objects.sort { ($0.image, $0.index) < ($1.image, $1.index) }
    candidates.sort { left, right in
      if left.image != right.image { return left.image < right.image }
      return left.score != right.score ? left.score > right.score : left.index < right.index
    }
  }

  /// The objects and detections of every class in category order.
  ///
  /// - Parameters:
  ///   - truth: The objects.
  ///   - results: The detections.
  ///   - chosen: Whether each image counts.
  ///   - roles: Whether an annotated object is ignored, and whether it absorbs many.
  ///   - isExempt: Whether the detection of a class in an image is no false alarm; nil leaves it out.
  ///   - indices: The positions of the detections that count.
  /// - Returns: The classes, their lists not yet sorted.
  static func divide(
    _ truth: GroundTruth, _ results: DetectionResults, chosen: [Bool],
    roles: (AnnotationIndex.Flags) -> Roles,
    isExempt: (_ image: Int, _ category: Int) -> Bool?, indices: some Sequence<Int>
  ) -> [ClassBoxes] {
    var classes = [ClassBoxes](repeating: ClassBoxes(), count: truth.categories.count)
    let objects = truth.index.annotations
    for index in objects.labels.indices {
      let image = Int(truth.ranks[Int(objects.images[index])])
      let label = Int(objects.labels[index])
      guard label >= 0, chosen[image] else { continue }
      let roles = roles(AnnotationIndex.Flags(rawValue: objects.flags[index]))
      let box = objects.boxes[index]
      let area = objects.areas[index]
      classes[label].objects.append(
        Object(
          image: image, index: index, box: box, area: area.isNaN ? box.area : area,
          isIgnored: roles.isIgnored, absorbsMany: roles.absorbsMany))
    }
    for index in indices {
      let found = results.boxes[index]
      guard let image = truth.imageRanks[found.imageID], chosen[image],
        let category = truth.labels[found.categoryID],
        let isExempt = isExempt(image, category)
      else { continue }
      classes[category].candidates.append(
        Candidate(
          image: Int32(image), index: Int32(index), score: found.score, isExempt: isExempt))
    }
    return classes
  }
}

/// Which detections of a results file are scored against a ground truth.
struct DetectionSelection {
  /// Whether detections of categories that the ground truth does not list are left out silently.
  var dropsUnknownCategories = false
  /// The positions in the index of the images that count; nil for all.
  var images: Set<Int32>?

  /// Whether each image of a ground truth counts, by ascending id.
  func images(of truth: GroundTruth) -> [Bool] {
    truth.imageOrder.map { images?.contains($0) ?? true }
  }

  /// Checks that every detection names an image and a category of the ground truth.
  func check(_ results: DetectionResults, against truth: GroundTruth) throws {
    try GroundTruth.check(
      results.boxes.lazy.map(\.imageID), field: "image_id", of: results.source,
      areAmong: truth.imageRanks, truth.source)
    guard !dropsUnknownCategories else { return }
    try GroundTruth.check(
      results.boxes.lazy.map(\.categoryID), field: "category_id", of: results.source,
      areAmong: truth.labels, truth.source)
  }
}
