import Formats

/// The records of a COCO-format file as they stand in it, read in one pass without a tree.
struct COCOReader {
  struct ImageEntry {
    var id = 0
    var fileName = ""
    var width = 0
    var height = 0
  }

  struct AnnotationEntry {
    var id = 0
    var imageID = 0
    var categoryID = 0
    var x = 0.0
    var y = 0.0
    var width = 0.0
    var height = 0.0
    var area: Double?
    var isCrowd = false
  }

  struct CategoryEntry {
    var id = 0
    var name = ""
    var frequency: String?
  }

  private(set) var images: [ImageEntry] = []
  private(set) var annotations: [AnnotationEntry] = []
  private(set) var categories: [CategoryEntry] = []

  init(path: String) throws {
    let lists = ["images", "annotations", "categories"]
    let seen = try RecordCursor.readLists(lists, of: path) { list, scanner, cursor in
      switch list {
      case "images": images.append(try Self.image(&scanner, &cursor))
      case "annotations": annotations.append(try Self.annotation(&scanner, &cursor))
      default: categories.append(try Self.category(&scanner, &cursor))
      }
    }
    for key in lists where !seen.contains(key) {
      throw DatasetError.record(
        file: path, place: "", field: key,
        reason: "is missing; a COCO detection file has images, annotations and categories")
    }
  }

  static func image(
    _ scanner: inout JSONScanner, _ cursor: inout RecordCursor
  ) throws -> ImageEntry {
    var entry = ImageEntry()
    var address: String?
    try cursor.object(&scanner, required: ["id", "width", "height"]) { key, scanner, cursor in
      switch key {
      case "id": cursor.id(try scanner.integer(), into: &entry.id)
      case "file_name": entry.fileName = try scanner.string()
      case "coco_url": address = try scanner.string()
      case "width": entry.width = try scanner.integer()
      case "height": entry.height = try scanner.integer()
      default: return false
      }
      return true
    }
    if entry.fileName.isEmpty, let tail = address?.split(separator: "/").last {
      entry.fileName = String(tail)
    }
    guard !entry.fileName.isEmpty else {
      throw cursor.error("is missing and there is no coco_url to take it from", field: "file_name")
    }
    guard entry.width > 0, entry.height > 0 else {
      throw cursor.error(
        "the image size \(entry.width)x\(entry.height) is not positive", field: "width")
    }
    return entry
  }

  private static func annotation(
    _ scanner: inout JSONScanner, _ cursor: inout RecordCursor
  ) throws -> AnnotationEntry {
    var entry = AnnotationEntry()
    let required = ["id", "image_id", "category_id", "bbox"]
    try cursor.object(&scanner, required: required) { key, scanner, cursor in
      switch key {
      case "id": cursor.id(try scanner.integer(), into: &entry.id)
      case "image_id": entry.imageID = try scanner.integer()
      case "category_id": entry.categoryID = try scanner.integer()
      case "area" where try scanner.peek() != .null: entry.area = try scanner.number()
      case "iscrowd":
        entry.isCrowd =
          try scanner.peek() == .bool ? try scanner.bool() : try scanner.integer() != 0
      case "bbox":
        (entry.x, entry.y, entry.width, entry.height) = try box(&scanner, cursor, field: key)
      default: return false
      }
      return true
    }
    return entry
  }

  /// Reads [x, y, width, height]; the scanner only gives finite numbers.
  static func box(
    _ scanner: inout JSONScanner, _ cursor: RecordCursor, field: String
  ) throws -> (x: Double, y: Double, width: Double, height: Double) {
    var count = 0
    var values = (x: 0.0, y: 0.0, width: 0.0, height: 0.0)
    try scanner.beginArray()
    while try scanner.nextElement() {
      let value = try scanner.number()
      switch count {
      case 0: values.x = value
      case 1: values.y = value
      case 2: values.width = value
      default: values.height = value
      }
      count += 1
    }
    guard count == 4 else {
      throw cursor.error("has \(count) numbers; it must be [x, y, width, height]", field: field)
    }
    return values
  }

  static func requireUnique(
    _ ids: some Sequence<Int>, _ section: String, _ path: String
  ) throws {
    var seen: [Int: Int] = [:]
    for (index, id) in ids.enumerated() {
      if let first = seen.updateValue(index, forKey: id) {
        throw DatasetError.record(
          file: path, place: "\(section)[\(index)] (id \(id))", field: "id",
          reason: "is already the id of \(section)[\(first)]; ids must be unique")
      }
    }
  }

  private static func category(
    _ scanner: inout JSONScanner, _ cursor: inout RecordCursor
  ) throws -> CategoryEntry {
    var entry = CategoryEntry()
    try cursor.object(&scanner, required: ["id", "name"]) { key, scanner, cursor in
      switch key {
      case "id": cursor.id(try scanner.integer(), into: &entry.id)
      case "name": entry.name = try scanner.string()
      case "frequency": entry.frequency = try scanner.string()
      default: return false
      }
      return true
    }
    return entry
  }
}

/// Remembers where in an annotation file the reader stands, so that an error can say it.
struct RecordCursor {
  let file: String
  private var section = ""
  private var index = 0
  private var identifier: Int?
  private var field = ""

  init(file: String) { self.file = file }

  /// Reads the records of the named lists of a file in file order and skips everything else.
  ///
  /// `body` reads one record; the answer says which of the lists the file has.
  static func readLists(
    _ names: [String], of path: String,
    _ body: (String, inout JSONScanner, inout RecordCursor) throws -> Void
  ) throws -> Set<String> {
    var cursor = RecordCursor(file: path)
    do {
      var seen: Set<String> = []
      var scanner = JSONScanner(try MappedFile(path: path))
      try scanner.beginObject()
      while let key = try scanner.nextKey() {
        cursor.enter(section: key)
        guard names.contains(key) else {
          try scanner.skipValue()
          continue
        }
        guard seen.insert(key).inserted else { throw cursor.error("the list stands twice") }
        try scanner.beginArray()
        while try scanner.nextElement() {
          try body(key, &scanner, &cursor)
          cursor.advance()
        }
      }
      cursor.enter(section: "")
      try scanner.end()
      return seen
    } catch let error as FormatError {
      throw cursor.error(error)
    }
  }

  mutating func enter(section: String) {
    self.section = section
    index = 0
    identifier = nil
    field = ""
  }

  mutating func advance() {
    index += 1
    identifier = nil
    field = ""
  }

  mutating func id(_ value: Int, into target: inout Int) {
    identifier = value
    target = value
  }

  /// Reads one record; `body` answers false for a key that it does not read.
  mutating func object(
    _ scanner: inout JSONScanner, required: [String],
    _ body: (String, inout JSONScanner, inout RecordCursor) throws -> Bool
  ) throws {
    var missing = required
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      field = key
      if try body(key, &scanner, &self) {
        if let position = missing.firstIndex(of: key) { missing.remove(at: position) }
      } else {
        try scanner.skipValue()
      }
      field = ""
    }
    if let first = missing.first { throw error("is missing", field: first) }
  }

  private var place: String {
    guard !section.isEmpty else { return "" }
    return "\(section)[\(index)]" + (identifier.map { " (id \($0))" } ?? "")
  }

  func error(_ reason: String, field: String = "") -> DatasetError {
    .record(file: file, place: place, field: field, reason: reason)
  }

  /// The place of a syntax or type error, with line and column behind the record.
  func error(_ error: FormatError) -> DatasetError {
    let places = [place, error.place].filter { !$0.isEmpty }
    return .record(
      file: file, place: places.joined(separator: ", "), field: field, reason: error.reason)
  }
}

extension DatasetError {
  static func noImages(in file: String) -> DatasetError {
    .record(
      file: file, place: "", field: "images", reason: "is empty; check that this is the right file")
  }
}
