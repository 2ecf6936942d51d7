import Formats
import Masks

/// The masks of a list of records, held in memory or read from the file when they are needed.
///
/// A results file of LVIS has millions of masks, so that only their places are kept.
struct MaskSource: Sendable {
  private enum Storage: Sendable {
    case memory([RunLengthMask?])
    /// The first byte of each record's mask; -1 where there is none.
    case file(MappedFile, [Int])
  }

  private let storage: Storage
  /// The file's path in errors.
  private let source: String
  /// The list of the records in errors.
  private let list: String

  /// Keeps masks in memory; `masks` is empty or has an element for each record.
  init(_ masks: [RunLengthMask?], source: String, list: String) {
    storage = .memory(masks)
    self.source = source
    self.list = list
  }

  /// Keeps the places of masks in a file, as `RecordCursor` gives them.
  init(_ file: MappedFile, places: [Int], list: String) {
    storage = places.contains { $0 >= 0 } ? .file(file, places) : .memory([])
    source = file.path
    self.list = list
  }

  /// Whether any record has a mask.
  var hasAny: Bool {
    switch storage {
    case .memory(let masks): masks.contains { $0 != nil }
    case .file: true
    }
  }

  /// The mask of a record in the frame of its image.
  ///
  /// - Throws: ``EvaluationError`` for a record without a mask, or one that is malformed or of
  ///   another size than its image.
  func mask(at index: Int, in frame: GroundTruth.Frame, of truth: String) throws -> RunLengthMask {
    let record = "\(list)[\(index)]"
    let (width, height) = (frame.width, frame.height)
    guard width > 0, height > 0 else {
      throw EvaluationError.missingField(
        file: truth, record: "image \(frame.id)", field: width == 0 ? "width" : "height",
        expected: "masks are drawn in its frame, add the size in pixels or score boxes")
    }
    let missing = EvaluationError.missingField(
      file: source, record: record, field: "segmentation",
      expected: "masks are scored here, give every record one or score boxes")
    switch storage {
    case .memory(let masks):
      guard index < masks.count, let mask = masks[index] else { throw missing }
      do {
        return try SegmentationRecord.runs(mask).mask(width: width, height: height)
      } catch {
        throw EvaluationError.badMask(
          FormatError(source, "\(error)"), field: "\(record).segmentation")
      }
    case .file(let file, let places):
      guard places[index] >= 0 else { throw missing }
      guard places[index] < file.bytes.count else {
        throw EvaluationError.badMask(
          FormatError(source, "the file changed while it was in use; run it again"),
          field: "\(record).segmentation")
      }
      var scanner = JSONScanner(file, at: places[index])
      do {
        return try SegmentationRecord(reading: &scanner).mask(width: width, height: height)
      } catch let error as FormatError {
        throw EvaluationError.badMask(error, field: "\(record).segmentation")
      } catch let error as MaskError {
        throw EvaluationError.badMask(scanner.error("\(error)"), field: "\(record).segmentation")
      }
    }
  }
}
