import Formats

extension COCOAnnotations.Category {
  /// The classes of a file by ascending id, whether or not it has images.
  ///
  /// The file is COCO or LVIS annotations, an object with `categories` alone, or a list of
  /// categories, as LVIS publishes the frequencies of its classes. Of large annotations the index
  /// that is kept is asked.
  ///
  /// - Parameter path: The file.
  /// - Returns: At least one class; no id and no name stands twice.
  /// - Throws: ``DatasetError`` when the file is missing or malformed, or names no class.
  package static func list(ofFile path: String) throws -> [COCOAnnotations.Category] {
    if let mark = FileMark(path: path), mark.size >= AnnotationIndexCache.smallestFile {
      return try AnnotationIndex(path: path).categories
    }
    let file = try RecordCursor.open(path)
    var found: [COCOAnnotations.Category] = []
    if file.isList {
      _ = try RecordCursor.readList("categories", of: file) {
        found.append(try COCOAnnotations.Category(reading: &$0, &$1))
      }
    } else {
      _ = try RecordCursor.readLists(["categories"], of: file) {
        found.append(try COCOAnnotations.Category(reading: &$1, &$2))
      }
    }
    func fault(_ reason: String) -> DatasetError {
      .record(file: path, place: "", field: "categories", reason: reason)
    }
    guard !found.isEmpty else {
      throw fault("is empty or missing; give a COCO or LVIS annotation file, or its categories")
    }
    try DatasetError.requireUnique(found.map(\.id), "categories", path)
    var names: Set<String> = []
    for category in found where !names.insert(category.name).inserted {
      throw fault("the name \"\(category.name)\" stands twice; rename one, or remove one")
    }
    return found.sorted { $0.id < $1.id }
  }
}

extension MappedFile {
  /// Whether the text is a JSON list.
  fileprivate var isList: Bool {
    var scanner = JSONScanner(self)
    return (try? scanner.peek()) == .array
  }
}
