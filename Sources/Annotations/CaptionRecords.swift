import Formats
import Geometry

/// The records of a caption file as they stand in it.
///
/// Both layouts are read: COCO's, whose `annotations` have an `image_id` and a `caption`, and the
/// published one, whose image records carry a list `captions` (spec training 4.5).
struct CaptionRecords {
  /// A sentence and what it is about.
  struct Entry {
    /// The index of the image in `images`.
    let image: Int
    /// The described part in pixels of the image, or nil for all of it.
    let box: Box?
    let caption: String
    /// Its annotation's position and id; a caption in an image record has neither.
    var annotation: (number: Int, id: Int?)?

    /// Where it stands, for errors.
    var place: String {
      guard let annotation else { return "images[\(image)]" }
      return CaptionRecords.place(annotation.number, annotation.id)
    }
  }

  let path: String
  /// The images in file order.
  let images: [COCOAnnotations.ImageRecord]
  /// The captions in file order, at least one; captions of nothing but blanks are left out.
  let entries: [Entry]

  /// An annotation whose image may follow later.
  private struct Annotation {
    var id: Int?
    var imageID = 0
    var box: Box?
    var caption = ""
  }

  /// Reads a file.
  init(path: String) throws {
    var images: [AnnotationIndexBuilder.ImageEntry] = []
    var annotations: [Annotation] = []
    _ = try RecordCursor.readLists(["images", "annotations"], of: try RecordCursor.open(path)) {
      list, scanner, cursor in
      if list == "images" {
        images.append(try .init(reading: &scanner, &cursor, captions: true))
      } else {
        annotations.append(try Self.annotation(&scanner, &cursor))
      }
    }
    guard !images.isEmpty else { throw DatasetError.noImages(in: path) }
    for (number, image) in images.enumerated() {
      let missing = [
        ("file_name", image.fileName.isEmpty), ("width", image.width == 0),
        ("height", image.height == 0),
      ].first { $0.1 }
      guard let missing else { continue }
      throw DatasetError.record(
        file: path, place: "images[\(number)] (id \(image.id))", field: missing.0,
        reason: "is missing; a captioned image needs its name and its size in pixels")
    }
    try DatasetError.requireUnique(images.map(\.id), "images", path)
    var entries: [Entry] = []
    for (number, image) in images.enumerated() {
      entries += image.captions.map { Entry(image: number, box: nil, caption: $0) }
    }
    let positions = Dictionary(
      uniqueKeysWithValues: images.enumerated().map { ($0.element.id, $0.offset) })
    for (number, annotation) in annotations.enumerated() {
      guard let image = positions[annotation.imageID] else {
        throw DatasetError.record(
          file: path, place: Self.place(number, annotation.id), field: "image_id",
          reason: "there is no image \(annotation.imageID) in \"images\"; check that the file is "
            + "whole and not a mixture")
      }
      entries.append(
        Entry(
          image: image, box: annotation.box, caption: annotation.caption,
          annotation: (number, annotation.id)))
    }
    entries.removeAll { $0.caption.allSatisfy(\.isWhitespace) }
    guard !entries.isEmpty else {
      throw DatasetError.record(
        file: path, place: "", field: "caption",
        reason: "no record has one; check that this is a caption file")
    }
    self.path = path
    self.images = images.map {
      COCOAnnotations.ImageRecord(
        id: $0.id, fileName: $0.fileName, width: Int($0.width), height: Int($0.height))
    }
    self.entries = entries
  }

  private static func place(_ number: Int, _ id: Int?) -> String {
    "annotations[\(number)]" + (id.map { " (id \($0))" } ?? "")
  }

  private static func annotation(
    _ scanner: inout JSONScanner, _ cursor: inout RecordCursor
  ) throws -> Annotation {
    var annotation = Annotation()
    var hasCaption = false
    try cursor.object(&scanner, required: ["image_id"]) { key, scanner, cursor in
      switch key {
      case "id": annotation.id = try cursor.id(&scanner)
      case "image_id": annotation.imageID = try cursor.wholeNumber(&scanner)
      case "caption":
        annotation.caption = try scanner.string()
        hasCaption = true
      case "bbox":
        annotation.box = Box(try cursor.box(&scanner, field: key))
      default: return false
      }
      return true
    }
    guard hasCaption else {
      throw cursor.error("is missing; check that this is a caption file", field: "caption")
    }
    return annotation
  }
}
