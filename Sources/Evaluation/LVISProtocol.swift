/// Sorting a data set into classes by the rules of LVIS (spec 5.5).
enum LVISProtocol {
  /// The boxes of every class in category order.
  ///
  /// Only the best `detectionsPerImage` of each image count, over all classes. A detection of a
  /// class that the image is not verified for is left out; one of a class that the image is not
  /// exhaustively annotated for is no false alarm.
  static func classes(
    _ truth: GroundTruth, _ results: DetectionResults, _ selection: DetectionSelection,
    detectionsPerImage: Int
  ) throws -> [ClassBoxes] {
    try selection.check(results, against: truth)
    let chosen = selection.images(of: truth)
    let partial = verified(truth) { $0.partialCategories }
    var present = verified(truth) { $0.absentCategories }
    var classes = [ClassBoxes](repeating: ClassBoxes(), count: truth.categories.count)
    for annotation in truth.annotations {
      guard let image = truth.imagePositions[annotation.imageID], chosen[image],
        let category = truth.categoryPositions[annotation.categoryID]
      else { continue }
      present.insert(Cell(image: image, category: category))
      classes[category].objects.append(
        ClassBoxes.Object(
          image: image, box: annotation.box, area: annotation.area,
          isIgnored: annotation.isIgnored, absorbsMany: false))
    }
    for index in best(of: results.boxes, perImage: detectionsPerImage) {
      let found = results.boxes[index]
      guard let image = truth.imagePositions[found.imageID], chosen[image],
        let category = truth.categoryPositions[found.categoryID]
      else { continue }
      let cell = Cell(image: image, category: category)
      guard present.contains(cell) else { continue }
      classes[category].candidates.append(
        ClassBoxes.Candidate(
          image: image, box: found.box, score: found.score, isExempt: partial.contains(cell)))
    }
    for index in classes.indices { classes[index].sort() }
    return classes
  }

  private struct Cell: Hashable {
    var image: Int
    var category: Int
  }

  private static func verified(
    _ truth: GroundTruth, _ categories: (GroundTruth.Image) -> [Int]
  ) -> Set<Cell> {
    var cells: Set<Cell> = []
    for (image, record) in truth.images.enumerated() {
      for id in categories(record) {
        guard let category = truth.categoryPositions[id] else { continue }
        cells.insert(Cell(image: image, category: category))
      }
    }
    return cells
  }

  /// The positions of each image's best detections; of equal scores the first in the file.
  static func best(of boxes: [ScoredBox], perImage limit: Int) -> [Int] {
    var images: [Int: [Int]] = [:]
    for (index, box) in boxes.enumerated() { images[box.imageID, default: []].append(index) }
    var kept: [Int] = []
    kept.reserveCapacity(boxes.count)
    for var indices in images.values {
      if indices.count > limit {
        indices.sort { left, right in
          boxes[left].score != boxes[right].score
            ? boxes[left].score > boxes[right].score : left < right
        }
        indices.removeLast(indices.count - limit)
      }
      kept.append(contentsOf: indices)
    }
    // An image's detections lie together, in file order or by score, so later stable sorts agree.
    return kept
  }

  /// The frequency group of each category.
  static func frequencies(of truth: GroundTruth) throws -> [GroundTruth.Frequency] {
    try truth.categories.map { category in
      guard let frequency = category.frequency else {
        throw EvaluationError.missingFrequency(
          file: truth.source, category: "\(category.id) (\(category.name))")
      }
      return frequency
    }
  }
}
