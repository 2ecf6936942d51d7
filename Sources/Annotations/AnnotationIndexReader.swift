import Formats

extension AnnotationIndex {
  /// Reads a file in one pass.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``DatasetError`` for a missing, truncated or malformed file, repeated ids, an
  ///   annotation of an unknown image, a file without images, or in LVIS an unknown class.
  public init(reading path: String) throws {
    let reader = try AnnotationIndexReader(path: path)
    self = try reader.index()
  }
}

/// The records of a COCO-format file as they stand in it, ids not yet resolved.
struct AnnotationIndexReader {
  struct ImageEntry {
    var id = 0
    var fileName = ""
    var width = 0
    var height = 0
    var absent: [Int] = []
    var partial: [Int] = []
    var captions: [String] = []
  }

  private static let lists = ["images", "annotations", "categories"]
  private static let imageFields = ["id", "width", "height"]
  private static let annotationFields = ["id", "image_id", "category_id", "bbox"]
  private static let categoryFields = ["id", "name"]
  /// The largest width or height that a column holds.
  private static let largestCount = Int(Int32.max)

  private let path: String
  /// The columns so far; labels and image indices follow when all ids are known.
  private var partial: AnnotationIndex
  private var imageIDs: [Int] = []
  private var categoryIDs: [Int] = []
  private var absentIDs: [Int] = []
  private var partialIDs: [Int] = []

  init(path: String) throws {
    self.path = path
    partial = AnnotationIndex(emptyFor: path)
    let seen = try RecordCursor.readLists(Self.lists, of: path) { list, scanner, cursor in
      switch list {
      case "images": append(try Self.image(&scanner, &cursor))
      case "annotations": try readAnnotation(&scanner, &cursor)
      default: partial.categories.append(try Self.category(&scanner, &cursor))
      }
    }
    for key in Self.lists where !seen.contains(key) {
      throw DatasetError.record(
        file: path, place: "", field: key,
        reason: "is missing; a COCO detection file has images, annotations and categories")
    }
  }

  // MARK: Records

  private mutating func append(_ entry: ImageEntry) {
    partial.images.ids.append(entry.id)
    partial.images.fileNames.append(entry.fileName)
    partial.images.widths.append(Int32(entry.width))
    partial.images.heights.append(Int32(entry.height))
    absentIDs += entry.absent
    partialIDs += entry.partial
    partial.images.absent.ends.append(Int32(absentIDs.count))
    partial.images.partial.ends.append(Int32(partialIDs.count))
  }

  static func image(
    _ scanner: inout JSONScanner, _ cursor: inout RecordCursor, readsCaptions: Bool = false
  ) throws -> ImageEntry {
    var entry = ImageEntry()
    var address: String?
    try cursor.object(&scanner, required: imageFields) { key, scanner, cursor in
      switch key {
      case "id": cursor.id(try scanner.integer(), into: &entry.id)
      case "file_name": entry.fileName = try scanner.string()
      case "coco_url": address = try scanner.string()
      case "width": entry.width = try scanner.integer()
      case "height": entry.height = try scanner.integer()
      case "neg_category_ids": entry.absent = try integers(&scanner)
      case "not_exhaustive_category_ids": entry.partial = try integers(&scanner)
      case "captions" where readsCaptions:
        try scanner.beginArray()
        while try scanner.nextElement() { entry.captions.append(try scanner.string()) }
      default: return false
      }
      return true
    }
    if entry.fileName.isEmpty, let address {
      // LVIS mixes images of two folders: "…/train2017/x.jpg", "…/val2017/x.jpg".
      entry.fileName = address.split(separator: "/").suffix(2).joined(separator: "/")
    }
    guard !entry.fileName.isEmpty else {
      throw cursor.error("is missing and there is no coco_url to take it from", field: "file_name")
    }
    guard entry.width > 0, entry.height > 0 else {
      throw cursor.error(
        "the image size \(entry.width)x\(entry.height) is not positive", field: "width")
    }
    guard max(entry.width, entry.height) <= largestCount else {
      throw cursor.error(
        "the image size \(entry.width)x\(entry.height) is no image's", field: "width")
    }
    return entry
  }

  private static func integers(_ scanner: inout JSONScanner) throws -> [Int] {
    var values: [Int] = []
    try scanner.beginArray()
    while try scanner.nextElement() { values.append(try scanner.integer()) }
    return values
  }

  private mutating func readAnnotation(
    _ scanner: inout JSONScanner, _ cursor: inout RecordCursor
  ) throws {
    var id = 0
    var image = 0
    var category = 0
    var box = SIMD4<Double>()
    var area = Double.nan
    var isCrowd = false
    var segmentation = -1
    try cursor.object(&scanner, required: Self.annotationFields) { key, scanner, cursor in
      switch key {
      case "id": cursor.id(try scanner.integer(), into: &id)
      case "image_id": image = try scanner.integer()
      case "category_id": category = try scanner.integer()
      case "area" where try scanner.peek() != .null: area = try scanner.number()
      case "iscrowd":
        isCrowd = try scanner.peek() == .bool ? try scanner.bool() : try scanner.integer() != 0
      case "bbox":
        let values = try Self.box(&scanner, cursor, field: key)
        box = SIMD4(values.x, values.y, values.width, values.height)
      case "segmentation":
        segmentation = try scanner.skippedRange().lowerBound
      default: return false
      }
      return true
    }
    guard box.z >= 0, box.w >= 0 else {
      throw cursor.error(
        "the size \(box.z) x \(box.w) is negative; it must be [x, y, width, height]", field: "bbox")
    }
    partial.annotations.ids.append(id)
    imageIDs.append(image)
    categoryIDs.append(category)
    partial.annotations.boxes.append(box)
    partial.annotations.areas.append(area)
    partial.annotations.crowds.append(isCrowd ? 1 : 0)
    partial.annotations.segmentations.append(segmentation)
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

  private static func category(
    _ scanner: inout JSONScanner, _ cursor: inout RecordCursor
  ) throws -> COCOAnnotations.Category {
    var id = 0
    var name = ""
    var frequency: String?
    try cursor.object(&scanner, required: categoryFields) { key, scanner, cursor in
      switch key {
      case "id": cursor.id(try scanner.integer(), into: &id)
      case "name": name = try scanner.string()
      case "frequency": frequency = try scanner.string()
      default: return false
      }
      return true
    }
    return COCOAnnotations.Category(id: id, name: name, frequency: frequency)
  }

  // MARK: References

  /// The finished index, once every id that a record names is known.
  func index() throws -> AnnotationIndex {
    guard partial.imageCount > 0 else { throw DatasetError.noImages(in: path) }
    try Self.requireUnique(partial.images.ids, "images", path)
    let order = partial.annotations.ids.positionsByValue()
    if order.hasRepetition { try Self.requireUnique(partial.annotations.ids, "annotations", path) }
    try Self.requireUnique(partial.categories.map(\.id), "categories", path)
    var index = partial
    index.annotations.order = order.positions
    index.categories.sort { $0.id < $1.id }
    let labels = Dictionary(
      uniqueKeysWithValues: index.categories.enumerated().map { ($0.element.id, Int32($0.offset)) })
    let positions = Dictionary(
      uniqueKeysWithValues: index.images.ids.enumerated().map { ($0.element, Int32($0.offset)) })
    index.annotations.images = try imageIDs.enumerated().map { number, id in
      guard let position = positions[id] else {
        throw error(annotation: number, "image_id", noImage(id))
      }
      return position
    }
    let isLVIS = index.isLVIS
    index.annotations.labels = try categoryIDs.enumerated().map { number, id in
      if let label = labels[id] { return label }
      guard !isLVIS else { throw error(annotation: number, "category_id", unknownClass(id)) }
      return -1
    }
    func resolve(_ ids: [Int], _ ends: [Int32], _ field: String) throws -> [Int32] {
      try ids.enumerated().map { place, id in
        if let label = labels[id] { return label }
        let image = ends.firstIndex { $0 > place } ?? 0
        throw DatasetError.record(
          file: path, place: "images[\(image)] (id \(index.images.ids[image]))", field: field,
          reason: unknownClass(id))
      }
    }
    index.images.absent.values = try resolve(
      absentIDs, index.images.absent.ends, "neg_category_ids")
    index.images.partial.values = try resolve(
      partialIDs, index.images.partial.ends, "not_exhaustive_category_ids")
    return index
  }

  private func noImage(_ id: Int) -> String {
    "there is no image \(id) in \"images\"; check that the file is whole and not a mixture"
  }

  private func unknownClass(_ id: Int) -> String {
    "there is no category \(id) in \"categories\"; check that records and categories are of the "
      + "same version of the data set"
  }

  private func error(annotation: Int, _ field: String, _ reason: String) -> DatasetError {
    .record(
      file: path, place: "annotations[\(annotation)] (id \(partial.annotations.ids[annotation]))",
      field: field, reason: reason)
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
}

extension DatasetError {
  static func noImages(in file: String) -> DatasetError {
    .record(
      file: file, place: "", field: "images", reason: "is empty; check that this is the right file")
  }
}

extension [Int] {
  /// The positions of the elements by ascending value, and whether a value stands twice.
  func positionsByValue() -> (positions: [Int32], hasRepetition: Bool) {
    var positions = indices.map { Int32($0) }
    withUnsafeBufferPointer { values in
      // Files with ascending ids need no sort.
      let isAscending = values.indices.dropFirst().allSatisfy { values[$0 - 1] < values[$0] }
      if !isAscending { positions.sort { values[Int($0)] < values[Int($1)] } }
    }
    let repeats = positions.indices.dropFirst().contains {
      self[Int(positions[$0 - 1])] == self[Int(positions[$0])]
    }
    return (positions, repeats)
  }
}
