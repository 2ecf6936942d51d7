import Formats

/// Reads the classes of a JSON file.
///
/// It is a list of names and objects `{"name": …, "synonyms": […]}` in any mixture, or an object of
/// names with lists of synonyms, or COCO or LVIS annotations, of which the categories count by
/// ascending id.
enum VocabularyJSON {
  typealias Entry = VocabularyNames.Entry

  /// Whether a file begins as JSON does.
  static func isJSON(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let text = bytes.dropFirst(TextDecoding.byteOrderMark(bytes)?.length ?? 0)
    let first = text.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    return first == UInt8(ascii: "[") || first == UInt8(ascii: "{")
  }

  /// Reads the classes in their order; their places are offsets in the file.
  static func entries(_ file: MappedFile) throws -> [Entry] {
    do {
      var scanner = JSONScanner(file)
      if try scanner.peek() == .array { return try list(file) }
      return try categories(file) ?? object(file)
    } catch let error as FormatError {
      throw DatasetError.record(
        file: file.path, place: error.place, field: "", reason: error.reason)
    }
  }

  private static func list(_ file: MappedFile) throws -> [Entry] {
    var entries: [Entry] = []
    _ = try RecordCursor.readList("classes", of: file) { scanner, cursor in
      let place = try scanner.offset()
      switch try scanner.peek() {
      case .string: entries.append(Entry(name: ClassName(try name(&scanner)), place: place))
      case .object:
        entries.append(Entry(name: try record(&scanner, &cursor).name, place: place))
      default:
        throw scanner.error(
          "a class must be a name or an object {\"name\": …, \"synonyms\": […]}")
      }
    }
    return entries
  }

  private static func object(_ file: MappedFile) throws -> [Entry] {
    var scanner = JSONScanner(file)
    var entries: [Entry] = []
    try scanner.beginObject()
    while let name = try scanner.nextKey() {
      let place = try scanner.offset()
      guard try scanner.peek() == .array else {
        throw scanner.error("\"\(name)\" must have a list of synonyms, [] for none")
      }
      entries.append(Entry(name: named(name, try names(&scanner)), place: place))
    }
    try scanner.end()
    return entries
  }

  /// The categories of annotations by ascending id, or nil when the file holds none.
  static func categories(_ file: MappedFile) throws -> [Entry]? {
    var found: [(id: Int, entry: Entry)] = []
    // A class called "categories" with a list of synonyms.
    var isClass = false
    let cursor = try RecordCursor.readLists(["categories"], of: file) { _, scanner, cursor in
      let place = try scanner.offset()
      guard try scanner.peek() == .object else {
        isClass = true
        return try scanner.skipValue()
      }
      let (name, id) = try record(&scanner, &cursor)
      guard let id else { throw cursor.error("is missing", field: "id") }
      found.append((id, Entry(name: name, place: place)))
    }
    guard cursor.lists.contains("categories"), !isClass else { return nil }
    try DatasetError.requireUnique(found.map(\.id), "categories", file.path)
    return found.sorted { $0.id < $1.id }.map(\.entry)
  }

  private static func record(
    _ scanner: inout JSONScanner, _ cursor: inout RecordCursor
  ) throws -> (name: ClassName, id: Int?) {
    var id: Int?
    var name = ""
    var synonyms: [String] = []
    try cursor.object(&scanner, required: ["name"]) { key, scanner, cursor in
      switch key {
      case "id": id = try cursor.id(&scanner)
      case "name": name = try self.name(&scanner)
      case "synonyms": synonyms = try names(&scanner)
      default: return false
      }
      return true
    }
    return (named(name, synonyms), id)
  }

  /// A class without the names among its synonyms that are there already: LVIS lists the name itself.
  private static func named(_ name: String, _ synonyms: [String]) -> ClassName {
    var known: Set = [VocabularyNames.key(name)]
    return ClassName(
      name.trimmingBlanks(),
      synonyms: synonyms.filter { known.insert(VocabularyNames.key($0)).inserted })
  }

  private static func name(_ scanner: inout JSONScanner) throws -> String {
    try scanner.string().trimmingBlanks()
  }

  private static func names(_ scanner: inout JSONScanner) throws -> [String] {
    var names: [String] = []
    try scanner.beginArray()
    while try scanner.nextElement() { names.append(try name(&scanner)) }
    return names
  }
}
