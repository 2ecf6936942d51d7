import Formats

extension GroundTruth {
  /// Reads a COCO or LVIS ground truth file record by record.
  ///
  /// An annotation without `area` gets its box's; `iscrowd`, `ignore`, annotation ids and the
  /// LVIS fields may be absent. Of masks only the places are kept, until they are scored.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``EvaluationError`` with the place for a file that is missing, cut short, of the
  ///   wrong layout, or whose lists contradict one another.
  public init(contentsOf path: String) throws {
    do {
      var images: [Image]?
      var categories: [Category]?
      var annotations: [Annotation]?
      var maskPlaces: [Int] = []
      let file = try MappedFile(path: path)
      var records = RecordScanner(file)
      try records.scanner.beginObject()
      while let key = try records.scanner.nextKey() {
        switch key {
        case "images": images = try Self.readList(key, &records) { try Self.image(&$0) }
        case "categories": categories = try Self.readList(key, &records) { try Self.category(&$0) }
        case "annotations":
          maskPlaces = []
          annotations = try Self.readList(key, &records) {
            try Self.annotation(&$0, &maskPlaces)
          }
        default: try records.scanner.skipValue()
        }
      }
      try records.scanner.end()
      guard let images else { throw EvaluationError.missingList(file: path, list: "images") }
      guard let categories else {
        throw EvaluationError.missingList(file: path, list: "categories")
      }
      guard let annotations else {
        throw EvaluationError.missingList(file: path, list: "annotations")
      }
      try self.init(
        source: path, images: images, categories: categories, annotations: annotations,
        masks: MaskSource(file, places: maskPlaces, list: "annotations"))
    } catch let error as FormatError {
      throw EvaluationError.unreadable(
        error, expected: "a ground truth file is a JSON object in COCO layout, check path and copy")
    }
  }

  private static func readList<Element>(
    _ list: String, _ records: inout RecordScanner,
    _ body: (inout RecordScanner) throws -> Element
  ) throws -> [Element] {
    var elements: [Element] = []
    try records.forEach(in: list) { elements.append(try body(&$0)) }
    return elements
  }

  private static func image(_ records: inout RecordScanner) throws -> Image {
    var id: Int?
    var absent: [Int] = []
    var partial: [Int] = []
    var width: Int?
    var height: Int?
    try records.scanner.beginObject()
    while let key = try records.scanner.nextKey() {
      switch key {
      case "id": id = try records.identifier(key)
      case "width": width = try records.side(key)
      case "height": height = try records.side(key)
      case "neg_category_ids": absent = try records.identifiers(key)
      case "not_exhaustive_category_ids": partial = try records.identifiers(key)
      default: try records.scanner.skipValue()
      }
    }
    return Image(
      id: try records.require(id, "id", "every image needs its id"), absentCategories: absent,
      partialCategories: partial, width: width, height: height)
  }

  private static func category(_ records: inout RecordScanner) throws -> Category {
    var id: Int?
    var name: String?
    var frequency: Frequency?
    try records.scanner.beginObject()
    while let key = try records.scanner.nextKey() {
      switch key {
      case "id": id = try records.identifier(key)
      case "name": name = try records.string(key)
      case "frequency":
        let letter = try records.string(key)
        guard let known = Frequency(rawValue: letter) else {
          throw EvaluationError.badField(
            records.scanner.error("found \"\(letter)\""), field: "\(records.record).\(key)",
            expected: "it must be r, c or f")
        }
        frequency = known
      default: try records.scanner.skipValue()
      }
    }
    return Category(
      id: try records.require(id, "id", "every category needs its id"),
      name: try records.require(name, "name", "every category needs its class name"),
      frequency: frequency)
  }

  private static func annotation(
    _ records: inout RecordScanner, _ maskPlaces: inout [Int]
  ) throws -> Annotation {
    var maskPlace = -1
    var id: Int?
    var image: Int?
    var category: Int?
    var box: BoxXYWH?
    var area: Double?
    var isCrowd = false
    var isIgnored = false
    try records.scanner.beginObject()
    while let key = try records.scanner.nextKey() {
      switch key {
      case "id": id = try records.identifier(key)
      case "image_id": image = try records.identifier(key)
      case "category_id": category = try records.identifier(key)
      case "bbox": box = try records.box(key)
      case "area": area = try records.number(key)
      case "iscrowd": isCrowd = try records.flag(key)
      case "ignore": isIgnored = try records.flag(key)
      case "segmentation": maskPlace = try records.segmentation()
      default: try records.scanner.skipValue()
      }
    }
    maskPlaces.append(maskPlace)
    return Annotation(
      id: id, imageID: try records.require(image, "image_id", "it names the image"),
      categoryID: try records.require(category, "category_id", "it names the class"),
      box: try records.require(box, "bbox", "every annotation needs its box"), area: area,
      isCrowd: isCrowd, isIgnored: isIgnored)
  }
}
