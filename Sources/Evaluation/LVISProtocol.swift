import Annotations

/// Sorting a data set into classes by the rules of LVIS (spec evaluation 5.5).
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
    let columns = truth.index.annotations
    let partial = cells(truth, truth.index.images.partial)
    var present = cells(truth, truth.index.images.absent)
    for (image, label) in zip(columns.images, columns.labels) {
      present.insert(Cell(image: Int(truth.ranks[Int(image)]), category: Int(label)))
    }
    return ClassBoxes.divide(
      truth, results, chosen: selection.images(of: truth),
      roles: { ($0.contains(.ignored), false) },
      isExempt: { image, category in
        let cell = Cell(image: image, category: category)
        return present.contains(cell) ? partial.contains(cell) : nil
      }, indices: best(of: results.boxes, perImage: detectionsPerImage))
  }

  private struct Cell: Hashable {
    var image: Int
    var category: Int
  }

  /// The classes that each image lists.
  private static func cells(_ truth: GroundTruth, _ lists: RaggedLabels) -> Set<Cell> {
    var cells: Set<Cell> = []
    for (image, rank) in truth.ranks.enumerated() {
      for label in lists[image] { cells.insert(Cell(image: Int(rank), category: Int(label))) }
    }
    return cells
  }

  /// The positions of each image's best detections; of equal scores the first in the file.
  static func best(of boxes: [DetectionResult], perImage limit: Int) -> [Int] {
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
  static func frequencies(of truth: GroundTruth) throws -> [COCOAnnotations.Frequency] {
    try truth.categories.map { category in
      guard let frequency = category.frequency else {
        throw EvaluationError.missingFrequency(
          file: truth.source, category: "\(category.id) (\(category.name))")
      }
      return frequency
    }
  }
}
