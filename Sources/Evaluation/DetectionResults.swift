import Annotations
import Formats
import Geometry
import Masks

/// One detection: a class, a box and how sure the detector is.
package struct DetectionResult: Sendable, Equatable {
  /// The image's id in the ground truth.
  package var imageID: Int
  /// The category's id in the ground truth.
  package var categoryID: Int
  /// The box in pixels of the original image.
  package var box: FileBox
  /// The score; only its order among the detections matters.
  package var score: Double

  package init(imageID: Int, categoryID: Int, box: FileBox, score: Double) {
    self.imageID = imageID
    self.categoryID = categoryID
    self.box = box
    self.score = score
  }
}

/// Detections in the order in which they were found; equal scores keep that order.
package struct DetectionResults: Sendable {
  /// What errors call it: the file's path.
  package let source: String
  /// The detections.
  package let boxes: [DetectionResult]
  /// The mask of each detection.
  let masks: MaskSource
  /// What the file gets wrong without being useless, one line each.
  package let warnings: [String]
  /// The first detection with a mask but no box; its ``DetectionResult/box`` has no size.
  let firstWithoutBox: Int?

  /// Creates results from a list.
  ///
  /// - Parameters:
  ///   - source: What errors call it.
  ///   - boxes: The detections.
  ///   - masks: The mask of each detection; empty where only boxes are scored.
  /// - Throws: ``EvaluationError`` for a number that is not finite.
  package init(source: String, boxes: [DetectionResult], masks: [RunLengthMask?] = []) throws {
    for (index, box) in boxes.enumerated() { try Self.check(box, index, source) }
    self.source = source
    self.boxes = boxes
    self.masks = MaskSource(masks, source: source, list: "results")
    firstWithoutBox = nil
    warnings = []
  }

  /// Reads a COCO results file: an array of `image_id`, `category_id`, `score`, `bbox` and, for
  /// masks, `segmentation` as run lengths or polygons.
  ///
  /// A detection has a box, a mask or both. Of masks only the places are kept, until they are scored.
  /// An empty array is accepted: it stands for a detector that found nothing.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: `DatasetError` with record and field for a file that is missing, cut short or
  ///   malformed.
  package init(contentsOf path: String) throws {
    var boxes: [DetectionResult] = []
    var places: [Int] = []
    var firstWithoutBox: Int?
    let file = try RecordCursor.open(path)
    let remedy =
      "; results are a list of detections, as 'baron detect' writes it to detections.json and a run "
      + "to its folder detections"
    let cursor = try RecordCursor.readList("results", of: file, remedy: remedy) { scanner, cursor in
      let record = try Record(reading: &scanner, &cursor)
      if record.box == nil { firstWithoutBox = firstWithoutBox ?? boxes.count }
      places.append(record.mask)
      boxes.append(
        DetectionResult(
          imageID: record.image, categoryID: record.category, box: record.box ?? .zero,
          score: record.score))
    }
    source = path
    self.boxes = boxes
    masks = MaskSource(file, places: places, list: "results")
    self.firstWithoutBox = firstWithoutBox
    warnings =
      cursor.quotedNumbers.line("number stands", "numbers stand", "in quotes: read as numbers")
      .map { [$0] } ?? []
  }

  /// One record of a results file.
  private struct Record {
    private static let required = ["image_id", "category_id", "score"]

    var image = 0
    var category = 0
    var box: FileBox?
    var score = 0.0
    var mask = -1

    init(reading scanner: inout JSONScanner, _ cursor: inout RecordCursor) throws {
      try cursor.object(&scanner, required: Self.required) { key, scanner, cursor in
        switch key {
        case "image_id": image = try cursor.wholeNumber(&scanner)
        case "category_id": category = try cursor.wholeNumber(&scanner)
        case "bbox": box = try cursor.box(&scanner, field: key)
        case "score": score = try cursor.number(&scanner)
        case "segmentation": mask = try cursor.segmentation(&scanner)
        default: return false
        }
        return true
      }
      guard box != nil || mask >= 0 else {
        throw cursor.error(
          "is missing; a detection has a box, a \"segmentation\" or both", field: "bbox")
      }
    }
  }

  /// Checks that every detection has a box.
  func checkBoxes() throws {
    guard let firstWithoutBox else { return }
    throw EvaluationError.missingField(
      file: source, record: "results[\(firstWithoutBox)]", field: "bbox",
      expected: "boxes are scored here, give every detection one or score masks alone")
  }

  static func check(_ box: DetectionResult, _ index: Int, _ source: String) throws {
    let fields = [
      ("score", box.score), ("bbox.x", box.box.x1), ("bbox.y", box.box.y1),
      ("bbox.width", box.box.width), ("bbox.height", box.box.height),
    ]
    for (name, value) in fields where !value.isFinite {
      throw EvaluationError.notFinite(
        file: source, record: "results[\(index)]", field: name, value: "\(value)")
    }
  }
}
