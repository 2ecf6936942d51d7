import CLIP
import Formats
import Foundation

/// Reads the classes of a JSON file.
///
/// It is a list of names and objects `{"name": …, "synonyms": […]}` in any mixture, or an object of
/// names with lists of synonyms, or COCO or LVIS annotations, of which the categories count by
/// ascending id.
enum VocabularyJSON {
  /// Whether a file begins as JSON does.
  ///
  /// - Parameter bytes: The file's content.
  /// - Returns: True if it starts with a bracket.
  static func isJSON(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let text = bytes.starts(with: mark) ? bytes.dropFirst(3) : bytes[...]
    let first = text.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    return first == UInt8(ascii: "[") || first == UInt8(ascii: "{")
  }

  /// Reads the classes; their places are offsets in the file.
  ///
  /// - Parameter file: The file.
  /// - Returns: The classes in their order.
  /// - Throws: `FormatError` with line and column.
  static func entries(_ file: MappedFile) throws -> [VocabularyNames.Entry] {
    var scanner = JSONScanner(file)
    if try scanner.peek() == .array { return try list(file) }
    return try categories(file) ?? object(file)
  }

  /// The classes of annotations without their synonyms, as data sets are trained.
  ///
  /// - Parameter path: The annotations.
  /// - Returns: The names by ascending id.
  /// - Throws: `FormatError` with line and column.
  static func categoryNames(path: String) throws -> [String] {
    let file = try MappedFile(path: path)
    guard let categories = try categories(file), !categories.isEmpty else {
      throw FormatError(path, "has no \"categories\"; give COCO or LVIS annotations")
    }
    return categories.map(\.name.name)
  }

  private static func list(_ file: MappedFile) throws -> [VocabularyNames.Entry] {
    var scanner = JSONScanner(file)
    var entries: [VocabularyNames.Entry] = []
    try scanner.beginArray()
    while try scanner.nextElement() {
      let place = try scanner.offset()
      switch try scanner.peek() {
      case .string:
        entries.append(.init(name: ClassName(try scanner.string()), place: place))
      case .object:
        entries.append(.init(name: try record(&scanner, at: place, file).name, place: place))
      default:
        throw problem(
          "a class must be a name or an object {\"name\": …, \"synonyms\": […]}", at: place, file)
      }
    }
    try scanner.end()
    return entries
  }

  private static func object(_ file: MappedFile) throws -> [VocabularyNames.Entry] {
    var scanner = JSONScanner(file)
    var entries: [VocabularyNames.Entry] = []
    try scanner.beginObject()
    while let name = try scanner.nextKey() {
      let place = try scanner.offset()
      guard let synonyms = names(try scanner.value()) else {
        throw problem("\"\(name)\" must have a list of synonyms, [] for none", at: place, file)
      }
      entries.append(.init(name: named(name, synonyms), place: place))
    }
    try scanner.end()
    return entries
  }

  /// The categories of annotations, or nil when the file holds none.
  private static func categories(_ file: MappedFile) throws -> [VocabularyNames.Entry]? {
    var scanner = JSONScanner(file)
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      guard key == "categories", try scanner.peek() == .array else {
        try scanner.skipValue()
        scanner.releaseBehind()
        continue
      }
      var found: [(id: Int, entry: VocabularyNames.Entry)] = []
      try scanner.beginArray()
      while try scanner.nextElement() {
        let place = try scanner.offset()
        // A class called "categories" with a list of synonyms.
        guard try scanner.peek() == .object else { return nil }
        let (name, id) = try record(&scanner, at: place, file)
        guard let id else {
          throw problem("a category needs a whole number \"id\"", at: place, file)
        }
        found.append((id, .init(name: name, place: place)))
      }
      return found.sorted { $0.id < $1.id }.map(\.entry)
    }
    return nil
  }

  private static func record(
    _ scanner: inout JSONScanner, at place: Int, _ file: MappedFile
  ) throws -> (name: ClassName, id: Int?) {
    let value = try scanner.value()
    guard let name = value["name"]?.string else {
      throw problem("the class needs a text \"name\"", at: place, file)
    }
    let others = value["synonyms"] ?? .array([])
    guard let synonyms = others == .null ? [] : names(others) else {
      throw problem("\"synonyms\" of \"\(name)\" must be a list of names", at: place, file)
    }
    return (named(name, synonyms), value["id"]?.integer)
  }

  /// A class without the names among its synonyms that are there already: LVIS lists the name itself.
  private static func named(_ name: String, _ synonyms: [String]) -> ClassName {
    var known: Set = [VocabularyNames.key(name)]
    return ClassName(
      name.trimmingCharacters(in: .whitespacesAndNewlines),
      synonyms: synonyms.filter { known.insert(VocabularyNames.key($0)).inserted })
  }

  private static func names(_ value: JSONValue) -> [String]? {
    guard let elements = value.array else { return nil }
    let names = elements.compactMap(\.string)
    return names.count == elements.count ? names : nil
  }

  private static func problem(_ reason: String, at place: Int, _ file: MappedFile) -> FormatError {
    JSONScanner(file, at: place).error(reason)
  }
}
