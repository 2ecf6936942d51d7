import Formats
import Geometry

/// Remembers where in a file of records the reader stands, so that an error can say it.
///
/// It also keeps the rules that hold for every record: null means absent, and numbers may stand in
/// quotes.
package struct RecordCursor {
  package let file: String
  /// The lists that were read.
  private(set) var lists: Set<String> = []
  /// Numbers that stand in quotes.
  package private(set) var quotedNumbers = RecordTally()
  private var list = ""
  private var index = 0
  private var identifier: Int?
  private var field = ""

  init(file: String) { self.file = file }

  /// Reads the records of the named lists of an object in file order and skips everything else.
  ///
  /// `body` reads one record. Pages of the file that were read are given back to the system, so that a
  /// large file takes no memory.
  static func readLists(
    _ names: [String], of file: MappedFile,
    _ body: (String, inout JSONScanner, inout RecordCursor) throws -> Void
  ) throws -> RecordCursor {
    try read(file) { scanner, cursor in
      try scanner.beginObject()
      while let key = try scanner.nextKey() {
        cursor.enter(list: key)
        let isAbsent = try scanner.peek() == .null
        guard names.contains(key), !isAbsent else {
          try scanner.skipValue()
          continue
        }
        guard cursor.lists.insert(key).inserted else { throw cursor.error("the list stands twice") }
        try cursor.elements(&scanner) { try body(key, &$0, &$1) }
      }
      cursor.enter(list: "")
    }
  }

  /// Reads the records of a file that is one list; errors call it `name`, and `remedy` ends the line
  /// about a file that is something else.
  package static func readList(
    _ name: String, of file: MappedFile, remedy: String = "",
    _ body: (inout JSONScanner, inout RecordCursor) throws -> Void
  ) throws -> RecordCursor {
    try read(file) { scanner, cursor in
      guard try scanner.peek() == .array else {
        throw scanner.error("expected an array, found \(try scanner.peek())\(remedy)")
      }
      cursor.enter(list: name)
      try cursor.elements(&scanner, body)
      cursor.enter(list: "")
    }
  }

  /// Opens a file of records.
  package static func open(_ path: String) throws -> MappedFile {
    do {
      return try MappedFile.text(path)
    } catch let error as FormatError {
      throw DatasetError.record(file: path, place: "", field: "", reason: error.reason)
    }
  }

  private static func read(
    _ file: MappedFile, _ body: (inout JSONScanner, inout RecordCursor) throws -> Void
  ) throws -> RecordCursor {
    var cursor = RecordCursor(file: file.path)
    do {
      var scanner = JSONScanner(file)
      try body(&scanner, &cursor)
      try scanner.end()
      return cursor
    } catch let error as FormatError {
      // What begins as no JSON does is often a file of another kind.
      if cursor.place.isEmpty, let kind = FileKind(file.bytes) {
        throw cursor.error(kind.explanation)
      }
      throw cursor.error(error)
    }
  }

  private mutating func enter(list: String) {
    self.list = list
    index = 0
    identifier = nil
    field = ""
  }

  private mutating func elements(
    _ scanner: inout JSONScanner, _ body: (inout JSONScanner, inout RecordCursor) throws -> Void
  ) throws {
    try scanner.beginArray()
    while try scanner.nextElement() {
      try body(&scanner, &self)
      index += 1
      identifier = nil
      field = ""
      scanner.releaseBehind()
    }
  }

  // MARK: Fields

  /// Reads one record and passes over nulls.
  ///
  /// `body` answers false for a key that it does not read; `hint` ends the line about a required key
  /// that is missing.
  package mutating func object(
    _ scanner: inout JSONScanner, required: [String], hint: () -> String = { "" },
    _ body: (String, inout JSONScanner, inout RecordCursor) throws -> Bool
  ) throws {
    /// One bit for each required key that was read.
    var found: UInt64 = 0
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      field = key
      if try scanner.peek() == .null {
        try scanner.null()
      } else if try body(key, &scanner, &self) {
        if let position = required.firstIndex(of: key) { found |= 1 << UInt64(position) }
      } else {
        try scanner.skipValue()
      }
      field = ""
    }
    guard found != (1 << UInt64(required.count)) - 1 else { return }
    for (position, key) in required.enumerated() where found & 1 << UInt64(position) == 0 {
      throw error("is missing\(hint())", field: key)
    }
  }

  /// Reads a whole number, in quotes or not.
  package mutating func wholeNumber(_ scanner: inout JSONScanner) throws -> Int {
    guard try scanner.peek() == .string else { return try scanner.integer() }
    let text = try scanner.string()
    guard let value = Int(text), value != .min else {
      let isNumber = !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
      throw scanner.error(
        "\"\(text.prefix(40))\" is "
          + (isNumber
            ? "too large; the largest is \(Int.max)"
            : "no whole number; number the records from 1 and write numbers without quotes"))
    }
    let place = place
    quotedNumbers.count(place)
    return value
  }

  /// Reads a number, in quotes or not.
  package mutating func number(_ scanner: inout JSONScanner) throws -> Double {
    guard try scanner.peek() == .string else { return try scanner.number() }
    let text = try scanner.string()
    guard let value = Double(text), value.isFinite else {
      throw scanner.error(
        "\"\(text.prefix(40))\" is no number; write numbers without quotes, with a point")
    }
    let place = place
    quotedNumbers.count(place)
    return value
  }

  /// Reads the record's own id, which errors name from here on.
  mutating func id(_ scanner: inout JSONScanner) throws -> Int {
    let value = try wholeNumber(&scanner)
    identifier = value
    return value
  }

  /// Reads a list of whole numbers.
  mutating func wholeNumbers(_ scanner: inout JSONScanner) throws -> [Int] {
    var values: [Int] = []
    try scanner.beginArray()
    while try scanner.nextElement() { values.append(try wholeNumber(&scanner)) }
    return values
  }

  /// Reads a truth value, written as true and false or as 1 and 0.
  mutating func flag(_ scanner: inout JSONScanner) throws -> Bool {
    if try scanner.peek() == .bool { return try scanner.bool() }
    let value = try wholeNumber(&scanner)
    guard value == 0 || value == 1 else { throw scanner.error("is \(value); it must be 0 or 1") }
    return value == 1
  }

  /// Reads [x, y, width, height]; the scanner only gives finite numbers.
  package mutating func box(_ scanner: inout JSONScanner, field: String) throws -> FileBox {
    var count = 0
    var numbers = (0.0, 0.0, 0.0, 0.0)
    try scanner.beginArray()
    while try scanner.nextElement() {
      let value = try number(&scanner)
      switch count {
      case 0: numbers.0 = value
      case 1: numbers.1 = value
      case 2: numbers.2 = value
      case 3: numbers.3 = value
      default: break
      }
      count += 1
    }
    guard count == 4 else {
      throw error("has \(count, "number"); it must be [x, y, width, height]", field: field)
    }
    let box = FileBox(x: numbers.0, y: numbers.1, width: numbers.2, height: numbers.3)
    guard box.width >= 0, box.height >= 0 else {
      throw error(
        "the size \(box.width) x \(box.height) is negative; it must be [x, y, width, height]",
        field: field)
    }
    return box
  }

  /// Skips a segmentation and gives the place of its first byte; -1 for an empty list.
  package func segmentation(_ scanner: inout JSONScanner) throws -> Int {
    let place = try scanner.offset()
    guard try scanner.peek() == .array else {
      try scanner.skipValue()
      return place
    }
    try scanner.beginArray()
    guard try scanner.nextElement() else { return -1 }
    try scanner.skipValue()
    while try scanner.nextElement() { try scanner.skipValue() }
    return place
  }

  // MARK: Errors

  /// Where the reader stands: the record and its id.
  package var place: String {
    guard !list.isEmpty else { return "" }
    return "\(list)[\(index)]" + (identifier.map { " (id \($0))" } ?? "")
  }

  package func error(_ reason: String, field: String = "") -> DatasetError {
    .record(file: file, place: place, field: field, reason: reason)
  }

  /// The place of a syntax or type error, with line and column behind the record.
  private func error(_ error: FormatError) -> DatasetError {
    let places = [place, error.place].filter { !$0.isEmpty }
    let remedy =
      error.reason.hasPrefix("the text ends") ? "; the file is cut short, copy it again" : ""
    return .record(
      file: file, place: places.joined(separator: ", "), field: field,
      reason: error.reason + remedy)
  }
}

/// How often something was found in records, and where first.
package struct RecordTally: Sendable, Equatable {
  /// How many times.
  package private(set) var count = 0
  /// The first record, for example "annotations[12] (id 831)".
  package private(set) var first = ""

  package mutating func count(_ place: @autoclosure () -> String) {
    if count == 0 { first = place() }
    count += 1
  }

  /// A line with the count and the first record; nil for nothing.
  package func line(_ one: String, _ many: String, _ what: String) -> String? {
    count == 0 ? nil : "\(count) \(count == 1 ? one : many) \(what) (first: \(first))"
  }
}
