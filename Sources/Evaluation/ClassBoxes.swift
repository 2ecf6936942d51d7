/// The objects and detections of one class, by ascending image; detections best score first.
struct ClassBoxes: Sendable {
  struct Object: Sendable {
    var image: Int
    /// The position in the ground truth's annotations.
    var index: Int
    var box: BoxXYWH
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
    roles: (GroundTruth.Annotation) -> (isIgnored: Bool, absorbsMany: Bool),
    isExempt: (_ image: Int, _ category: Int) -> Bool?, indices: some Sequence<Int>
  ) -> [ClassBoxes] {
    var classes = [ClassBoxes](repeating: ClassBoxes(), count: truth.categories.count)
    for (index, annotation) in truth.annotations.enumerated() {
      guard let image = truth.imagePositions[annotation.imageID], chosen[image],
        let category = truth.categoryPositions[annotation.categoryID]
      else { continue }
      let roles = roles(annotation)
      classes[category].objects.append(
        Object(
          image: image, index: index, box: annotation.box, area: annotation.area,
          isIgnored: roles.isIgnored, absorbsMany: roles.absorbsMany))
    }
    for index in indices {
      let found = results.boxes[index]
      guard let image = truth.imagePositions[found.imageID], chosen[image],
        let category = truth.categoryPositions[found.categoryID],
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
  /// The ids of the images that count; nil for all.
  var imageIDs: Set<Int>?

  /// Whether each image of a ground truth counts, by position.
  func images(of truth: GroundTruth) -> [Bool] {
    truth.images.map { imageIDs?.contains($0.id) ?? true }
  }

  /// Checks that every detection names an image and a category of the ground truth.
  func check(_ results: DetectionResults, against truth: GroundTruth) throws {
    try GroundTruth.check(
      results.boxes.lazy.map(\.imageID), "results", "image_id", of: results.source,
      areAmong: truth.imagePositions, truth.source)
    guard !dropsUnknownCategories else { return }
    try GroundTruth.check(
      results.boxes.lazy.map(\.categoryID), "results", "category_id", of: results.source,
      areAmong: truth.categoryPositions, truth.source)
  }
}
