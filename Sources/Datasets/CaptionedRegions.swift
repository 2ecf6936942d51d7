import Formats

/// Regions of images, each with a sentence that describes it.
///
/// Read from a COCO caption file whose annotations may carry a `bbox`: the part of the image that the
/// caption describes, as in Visual Genome's region descriptions. Without it the caption is about the
/// whole image, so an ordinary COCO caption file will do.
public struct CaptionedRegions: Sendable, Equatable {
  /// One image.
  public struct ImageRecord: Sendable, Equatable {
    /// The image's id.
    public let id: Int
    /// The file's name below the image folder.
    public let fileName: String
    /// The width in pixels.
    public let width: Int
    /// The height in pixels.
    public let height: Int
  }

  /// One region and its caption.
  public struct Pair: Sendable, Equatable {
    /// The index of the image in ``CaptionedRegions/images``.
    public let imageIndex: Int
    /// The region in pixels of the original image, clipped to it and never empty.
    public let box: BoundingBox
    /// The sentence.
    public let caption: String
  }

  /// The file's path.
  public let path: String
  /// The images in file order, those without captions included.
  public let images: [ImageRecord]
  /// The regions in file order, at least one.
  public let pairs: [Pair]

  /// Reads a caption file.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``DatasetError`` for a missing, truncated or malformed file, a file without images or
  ///   captions, repeated image ids, a caption of an unknown image, or a region outside its image.
  public init(path: String) throws {
    var records: [ImageRecord] = []
    var entries: [Entry] = []
    _ = try RecordCursor.readLists(["images", "annotations"], of: path) { list, scanner, cursor in
      if list == "images" {
        let entry = try AnnotationIndexReader.image(&scanner, &cursor)
        records.append(
          ImageRecord(
            id: entry.id, fileName: entry.fileName, width: entry.width, height: entry.height))
      } else {
        entries.append(try Self.entry(&scanner, &cursor))
      }
    }
    guard !records.isEmpty else { throw DatasetError.noImages(in: path) }
    guard !entries.isEmpty else { throw DatasetError.noCaptions(in: path) }
    try AnnotationIndexReader.requireUnique(records.lazy.map(\.id), "images", path)
    let positions = Dictionary(
      uniqueKeysWithValues: records.enumerated().map { ($0.element.id, $0.offset) })
    pairs = try entries.enumerated().map { index, entry in
      func error(_ field: String, _ reason: String) -> DatasetError {
        let id = entry.id.map { " (id \($0))" } ?? ""
        return .record(
          file: path, place: "annotations[\(index)]\(id)", field: field, reason: reason)
      }
      guard let position = positions[entry.imageID] else {
        throw error("image_id", "there is no image \(entry.imageID) in \"images\"")
      }
      let image = records[position]
      let (width, height) = (Float(image.width), Float(image.height))
      let whole = BoundingBox(x1: 0, y1: 0, x2: width, y2: height)
      let box = entry.box?.clipped(width: width, height: height) ?? whole
      guard box.width > 0, box.height > 0 else {
        throw error(
          "bbox",
          "nothing of it lies in the image of \(image.width)x\(image.height) pixels; it must be "
            + "[x, y, width, height]")
      }
      return Pair(imageIndex: position, box: box, caption: entry.caption)
    }
    self.path = path
    images = records
  }

  /// An annotation as it stands in the file: its image may follow later.
  private struct Entry {
    var id: Int?
    var imageID = 0
    var box: BoundingBox?
    var caption = ""
  }

  private static func entry(
    _ scanner: inout JSONScanner, _ cursor: inout RecordCursor
  ) throws -> Entry {
    var entry = Entry()
    try cursor.object(&scanner, required: ["image_id", "caption"]) { key, scanner, cursor in
      switch key {
      case "id":
        var id = 0
        cursor.id(try scanner.integer(), into: &id)
        entry.id = id
      case "image_id": entry.imageID = try scanner.integer()
      case "caption": entry.caption = try scanner.string()
      case "bbox":
        let box = try AnnotationIndexReader.box(&scanner, cursor, field: key)
        entry.box = BoundingBox(
          x1: Float(box.x), y1: Float(box.y), x2: Float(box.x + box.width),
          y2: Float(box.y + box.height))
      default: return false
      }
      return true
    }
    return entry
  }
}
