import Formats

extension AnnotationIndex {
  /// Reads a file in one pass.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``DatasetError`` for a missing, truncated or malformed file, ids or names that stand
  ///   twice, an annotation of an unknown image, or a file without images or classes.
  package init(reading path: String) throws {
    typealias Builder = AnnotationIndexBuilder
    var builder = Builder(path: path)
    let cursor = try RecordCursor.readLists(
      ["images", "annotations", "categories"], of: try RecordCursor.open(path)
    ) { list, scanner, cursor in
      switch list {
      case "images": builder.append(try Builder.ImageEntry(reading: &scanner, &cursor))
      case "annotations": builder.append(try Builder.AnnotationEntry(reading: &scanner, &cursor))
      default: builder.append(try COCOAnnotations.Category(reading: &scanner, &cursor))
      }
    }
    for list in ["images", "annotations", "categories"] where !cursor.lists.contains(list) {
      throw DatasetError.record(
        file: path, place: "", field: list,
        reason: "is missing; a COCO detection file has images, annotations and categories")
    }
    self = try builder.index(quotedNumbers: cursor.quotedNumbers)
  }
}

extension AnnotationIndexBuilder.ImageEntry {
  private static let required = ["id"]
  /// The largest width or height that a column holds.
  private static let largestSide = Int(Int32.max)

  /// Reads the record that stands next.
  init(
    reading scanner: inout JSONScanner, _ cursor: inout RecordCursor, captions: Bool = false
  ) throws {
    var address: String?
    try cursor.object(&scanner, required: Self.required) { key, scanner, cursor in
      switch key {
      case "id": id = try cursor.id(&scanner)
      case "file_name": fileName = try scanner.string()
      case "coco_url": address = try scanner.string()
      case "width": width = try Self.side(&scanner, &cursor)
      case "height": height = try Self.side(&scanner, &cursor)
      case "neg_category_ids": absent = try cursor.wholeNumbers(&scanner)
      case "not_exhaustive_category_ids": partial = try cursor.wholeNumbers(&scanner)
      case "captions" where captions:
        try scanner.beginArray()
        while try scanner.nextElement() { self.captions.append(try scanner.string()) }
      default: return false
      }
      return true
    }
    if fileName.isEmpty, let address {
      // LVIS mixes images of two folders: "…/train2017/x.jpg", "…/val2017/x.jpg".
      fileName = address.split(separator: "/").suffix(2).joined(separator: "/")
    }
  }

  private static func side(
    _ scanner: inout JSONScanner, _ cursor: inout RecordCursor
  ) throws -> Int32 {
    let side = try cursor.wholeNumber(&scanner)
    guard side > 0, side <= largestSide else {
      throw scanner.error(
        "is \(side); an image has a positive number of pixels, leave out what is not known")
    }
    return Int32(side)
  }
}

extension AnnotationIndexBuilder.AnnotationEntry {
  private static let required = ["image_id", "category_id", "bbox"]

  /// Reads the record that stands next.
  fileprivate init(reading scanner: inout JSONScanner, _ cursor: inout RecordCursor) throws {
    var isCaption = false
    try cursor.object(
      &scanner, required: Self.required,
      hint: { isCaption ? "; this is a file of captions, not of boxes" : "" }
    ) { key, scanner, cursor in
      switch key {
      case "id": id = try cursor.id(&scanner)
      case "image_id": image = try cursor.wholeNumber(&scanner)
      case "category_id": category = try cursor.wholeNumber(&scanner)
      case "bbox": box = try cursor.box(&scanner, field: key)
      case "area": area = try cursor.number(&scanner)
      case "iscrowd": if try cursor.flag(&scanner) { flags.insert(.crowd) }
      case "ignore": if try cursor.flag(&scanner) { flags.insert(.ignored) }
      case "segmentation": segmentation = try cursor.segmentation(&scanner)
      case "caption":
        isCaption = true
        return false
      default: return false
      }
      return true
    }
  }
}

extension COCOAnnotations.Category {
  private static let required = ["id", "name"]

  /// Reads the record that stands next.
  init(reading scanner: inout JSONScanner, _ cursor: inout RecordCursor) throws {
    var id = 0
    var name = ""
    var frequency: COCOAnnotations.Frequency?
    try cursor.object(&scanner, required: Self.required) { key, scanner, cursor in
      switch key {
      case "id": id = try cursor.id(&scanner)
      case "name": name = try scanner.string().trimmingBlanks()
      case "frequency":
        let letter = try scanner.string()
        frequency = COCOAnnotations.Frequency(rawValue: letter)
        guard frequency != nil else {
          throw scanner.error("is \"\(letter)\"; it must be r, c or f, or be left out")
        }
      default: return false
      }
      return true
    }
    self.init(id: id, name: name, frequency: frequency)
  }
}
