/// Sorting a data set into classes by the rules of LVIS (spec 5.5).
enum LVISProtocol {
  /// Every class in category order.
  ///
  /// Only the best `detectionsPerImage` of each image count, over all classes. A detection of a
  /// class that the image is not verified for is left out; one of a class that the image is not
  /// exhaustively annotated for is no false alarm.
  static func classes(
    _ truth: GroundTruth, _ results: DetectionResults, _ selection: DetectionSelection,
    detectionsPerImage: Int
  ) throws -> [ClassBoxes] {
    try selection.check(results, against: truth)
    let partial = try verified(truth, selection, "not_exhaustive_category_ids", \.partialCategories)
    var present = try verified(truth, selection, "neg_category_ids", \.absentCategories)
    for annotation in truth.annotations {
      guard let image = truth.imagePositions[annotation.imageID],
        let category = truth.categoryPositions[annotation.categoryID]
      else { continue }
      present.insert(Cell(image: image, category: category))
    }
    return ClassBoxes.divide(
      truth, results, chosen: selection.images(of: truth),
      roles: { ($0.isIgnored, false) },
      isExempt: { image, category in
        let cell = Cell(image: image, category: category)
        return present.contains(cell) ? partial.contains(cell) : nil
      }, indices: best(of: results.boxes, perImage: detectionsPerImage))
  }

  private struct Cell: Hashable {
    var image: Int
    var category: Int
  }

  /// The classes that each image lists in a field.
  private static func verified(
    _ truth: GroundTruth, _ selection: DetectionSelection, _ field: String,
    _ categories: KeyPath<GroundTruth.Image, [Int]>
  ) throws -> Set<Cell> {
    var cells: Set<Cell> = []
    for (image, record) in truth.images.enumerated() {
      for id in record[keyPath: categories] {
        if let category = truth.categoryPositions[id] {
          cells.insert(Cell(image: image, category: category))
        } else if !selection.dropsUnknownCategories {
          throw EvaluationError.unknownReference(
            file: truth.source, list: "images", field: field, count: 1, first: id,
            record: "image \(record.id)", groundTruth: "\"categories\"")
        }
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
