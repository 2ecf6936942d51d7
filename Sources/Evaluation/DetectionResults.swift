import Formats

/// One detection: a class, a box and how sure the detector is.
public struct ScoredBox: Sendable, Equatable {
  /// The image's id in the ground truth.
  public var imageID: Int
  /// The category's id in the ground truth.
  public var categoryID: Int
  /// The box in pixels of the original image.
  public var box: BoxXYWH
  /// The score; only its order among the detections matters.
  public var score: Double

  /// Creates a detection.
  ///
  /// - Parameters:
  ///   - imageID: The image's id in the ground truth.
  ///   - categoryID: The category's id in the ground truth.
  ///   - box: The box in pixels of the original image.
  ///   - score: The score.
  public init(imageID: Int, categoryID: Int, box: BoxXYWH, score: Double) {
    self.imageID = imageID
    self.categoryID = categoryID
    self.box = box
    self.score = score
  }
}

/// Detections in the order in which they were found; equal scores keep that order.
public struct DetectionResults: Sendable {
  /// What errors call it: the file's path.
  public let source: String
  /// The detections.
  public let boxes: [ScoredBox]

  /// Creates results from a list.
  ///
  /// - Parameters:
  ///   - source: What errors call it.
  ///   - boxes: The detections.
  /// - Throws: ``EvaluationError`` for a number that is not finite.
  public init(source: String, boxes: [ScoredBox]) throws {
    for (index, box) in boxes.enumerated() { try Self.check(box, index, source) }
    self.source = source
    self.boxes = boxes
  }

  /// Reads a COCO results file: an array of `image_id`, `category_id`, `bbox` and `score`.
  ///
  /// An empty array is accepted: it stands for a detector that found nothing.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``EvaluationError`` with record and field for a file that is missing, cut short
  ///   or malformed.
  public init(contentsOf path: String) throws {
    do {
      var boxes: [ScoredBox] = []
      var records = RecordScanner(try MappedFile(path: path))
      try records.forEach(in: "results") { boxes.append(try Self.read(&$0)) }
      try records.scanner.end()
      source = path
      self.boxes = boxes
    } catch let error as FormatError {
      throw EvaluationError.unreadable(
        error, expected: "a results file is a JSON array of detections, check path and copy")
    }
  }

  private static func read(_ records: inout RecordScanner) throws -> ScoredBox {
    var image: Int?
    var category: Int?
    var box: BoxXYWH?
    var score: Double?
    try records.scanner.beginObject()
    while let key = try records.scanner.nextKey() {
      switch key {
      case "image_id": image = try records.identifier(key)
      case "category_id": category = try records.identifier(key)
      case "bbox": box = try records.box(key)
      case "score": score = try records.number(key)
      default: try records.scanner.skipValue()
      }
    }
    return ScoredBox(
      imageID: try records.require(image, "image_id", "it names the image"),
      categoryID: try records.require(category, "category_id", "it names the class"),
      box: try records.require(box, "bbox", "boxes are scored, not masks alone"),
      score: try records.require(score, "score", "detections are ranked by it"))
  }

  static func check(_ box: ScoredBox, _ index: Int, _ source: String) throws {
    let fields = [
      ("score", box.score), ("bbox.x", box.box.x), ("bbox.y", box.box.y),
      ("bbox.width", box.box.width), ("bbox.height", box.box.height),
    ]
    for (name, value) in fields where !value.isFinite {
      throw EvaluationError.notFinite(
        file: source, record: "results[\(index)]", field: name, value: "\(value)")
    }
  }
}
