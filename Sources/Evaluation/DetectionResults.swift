import Formats
import Masks

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
  /// The mask of each detection.
  let masks: MaskSource
  /// The first detection with a mask but no box; its ``ScoredBox/box`` has no size.
  let firstWithoutBox: Int?

  /// Creates results from a list.
  ///
  /// - Parameters:
  ///   - source: What errors call it.
  ///   - boxes: The detections.
  ///   - masks: The mask of each detection; empty where only boxes are scored.
  /// - Throws: ``EvaluationError`` for a number that is not finite.
  public init(source: String, boxes: [ScoredBox], masks: [RunLengthMask?] = []) throws {
    for (index, box) in boxes.enumerated() { try Self.check(box, index, source) }
    self.source = source
    self.boxes = boxes
    self.masks = MaskSource(masks, source: source, list: "results")
    firstWithoutBox = nil
  }

  /// Reads a COCO results file: an array of `image_id`, `category_id`, `score`, `bbox` and, for
  /// masks, `segmentation` as run lengths or polygons.
  ///
  /// A detection has a box, a mask or both. Of masks only the places are kept, until they are scored.
  /// An empty array is accepted: it stands for a detector that found nothing.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``EvaluationError`` with record and field for a file that is missing, cut short
  ///   or malformed.
  public init(contentsOf path: String) throws {
    do {
      var boxes: [ScoredBox] = []
      var places: [Int] = []
      var firstWithoutBox: Int?
      let file = try MappedFile(path: path)
      var records = RecordScanner(file)
      try records.forEach(in: "results") { records in
        let record = try Self.read(&records)
        if record.box == nil { firstWithoutBox = firstWithoutBox ?? boxes.count }
        places.append(record.maskPlace)
        boxes.append(
          ScoredBox(
            imageID: record.image, categoryID: record.category,
            box: record.box ?? BoxXYWH(x: 0, y: 0, width: 0, height: 0), score: record.score))
      }
      try records.scanner.end()
      source = path
      self.boxes = boxes
      masks = MaskSource(file, places: places, list: "results")
      self.firstWithoutBox = firstWithoutBox
    } catch let error as FormatError {
      throw EvaluationError.unreadable(
        error, expected: "a results file is a JSON array of detections, check path and copy")
    }
  }

  private static func read(
    _ records: inout RecordScanner
  ) throws -> (image: Int, category: Int, box: BoxXYWH?, score: Double, maskPlace: Int) {
    var image: Int?
    var category: Int?
    var box: BoxXYWH?
    var score: Double?
    var maskPlace = -1
    try records.scanner.beginObject()
    while let key = try records.scanner.nextKey() {
      switch key {
      case "image_id": image = try records.identifier(key)
      case "category_id": category = try records.identifier(key)
      case "bbox": box = try records.box(key)
      case "score": score = try records.number(key)
      case "segmentation": maskPlace = try records.segmentation()
      default: try records.scanner.skipValue()
      }
    }
    if maskPlace < 0 {
      _ = try records.require(box, "bbox", "a detection has a box, a \"segmentation\" or both")
    }
    return (
      try records.require(image, "image_id", "it names the image"),
      try records.require(category, "category_id", "it names the class"), box,
      try records.require(score, "score", "detections are ranked by it"), maskPlace
    )
  }

  /// Checks that every detection has a box.
  func checkBoxes() throws {
    guard let firstWithoutBox else { return }
    throw EvaluationError.missingField(
      file: source, record: "results[\(firstWithoutBox)]", field: "bbox",
      expected: "boxes are scored here, give every detection one or score masks alone")
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
