import Formats

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
  /// `body` reads one record; the answer says which of the lists the file has. Pages of the file that
  /// were read are given back to the system, so that a large file takes no memory.
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
          scanner.releaseBehind()
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
    /// One bit for each required key that was read.
    var found: UInt64 = 0
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      field = key
      if try body(key, &scanner, &self) {
        if let position = required.firstIndex(of: key) { found |= 1 << UInt64(position) }
      } else {
        try scanner.skipValue()
      }
      field = ""
    }
    guard found != (1 << UInt64(required.count)) - 1 else { return }
    for (position, key) in required.enumerated() where found & 1 << UInt64(position) == 0 {
      throw error("is missing", field: key)
    }
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
    let remedy =
      error.reason.hasPrefix("the text ends") ? "; the file is cut short, copy it again" : ""
    return .record(
      file: file, place: places.joined(separator: ", "), field: field,
      reason: error.reason + remedy)
  }
}
