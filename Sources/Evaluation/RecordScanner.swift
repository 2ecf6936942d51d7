import Formats

/// A box as COCO files hold it: top left corner and size, in pixels.
public struct BoxXYWH: Sendable, Equatable {
  /// The left edge.
  public var x: Double
  /// The top edge.
  public var y: Double
  /// The width.
  public var width: Double
  /// The height.
  public var height: Double

  /// Creates a box.
  ///
  /// - Parameters:
  ///   - x: The left edge.
  ///   - y: The top edge.
  ///   - width: The width.
  ///   - height: The height.
  public init(x: Double, y: Double, width: Double, height: Double) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }

  /// Width times height.
  public var area: Double { width * height }
}

/// Reads lists of JSON objects and says in errors which record and field was at fault.
struct RecordScanner {
  var scanner: JSONScanner
  let file: String
  /// The list that is being read and the position in it.
  private var list = ""
  private var index = 0

  init(_ file: MappedFile) {
    scanner = JSONScanner(file)
    self.file = file.path
  }

  /// The record being read, for example `annotations[3]`.
  var record: String { "\(list)[\(index)]" }

  /// Runs `body` at each element of the array that stands next.
  mutating func forEach(in list: String, _ body: (inout RecordScanner) throws -> Void) throws {
    self.list = list
    index = 0
    try scanner.beginArray()
    while try scanner.nextElement() {
      try body(&self)
      index += 1
      scanner.releaseBehind()
    }
  }

  private func field<Value>(
    _ name: String, _ expected: String, _ result: Result<Value, any Error>
  ) throws -> Value {
    do {
      return try result.get()
    } catch let error as FormatError {
      throw EvaluationError.badField(error, field: "\(record).\(name)", expected: expected)
    }
  }

  mutating func identifier(_ name: String) throws -> Int {
    let result = Result { try scanner.integer() }
    return try field(name, "ids are whole numbers", result)
  }

  mutating func identifiers(_ name: String) throws -> [Int] {
    let result = Result {
      var values: [Int] = []
      try scanner.beginArray()
      while try scanner.nextElement() { values.append(try scanner.integer()) }
      return values
    }
    return try field(name, "it is a list of category ids", result)
  }

  mutating func number(_ name: String) throws -> Double {
    let result = Result { try scanner.number() }
    return try field(name, "it must be a finite number", result)
  }

  /// A width or height in pixels; nil for null.
  mutating func side(_ name: String) throws -> Int? {
    let result = Result<Int?, any Error> {
      guard try scanner.peek() != .null else {
        try scanner.null()
        return nil
      }
      return try scanner.integer()
    }
    return try field(name, "it is a whole number of pixels", result)
  }

  /// Skips a mask and gives the place of its first byte; -1 for null and an empty list.
  mutating func segmentation() throws -> Int {
    let place = try scanner.offset()
    switch try scanner.peek() {
    case .null:
      try scanner.null()
      return -1
    case .array:
      try scanner.beginArray()
      guard try scanner.nextElement() else { return -1 }
      try scanner.skipValue()
      while try scanner.nextElement() { try scanner.skipValue() }
    default: try scanner.skipValue()
    }
    return place
  }

  mutating func string(_ name: String) throws -> String {
    let result = Result { try scanner.string() }
    return try field(name, "it must be a text", result)
  }

  /// A truth value, written as true and false or as 1 and 0.
  mutating func flag(_ name: String) throws -> Bool {
    let result = Result {
      if try scanner.peek() == .bool { return try scanner.bool() }
      let value = try scanner.integer()
      guard value == 0 || value == 1 else { throw scanner.error("found \(value)") }
      return value == 1
    }
    return try field(name, "it must be 0 or 1", result)
  }

  mutating func box(_ name: String) throws -> BoxXYWH {
    let result = Result {
      var values: [Double] = []
      try scanner.beginArray()
      while try scanner.nextElement() { values.append(try scanner.number()) }
      guard values.count == 4 else { throw scanner.error("found \(values.count) numbers") }
      guard values[2] >= 0, values[3] >= 0 else {
        throw scanner.error("the size is \(values[2]) x \(values[3])")
      }
      return BoxXYWH(x: values[0], y: values[1], width: values[2], height: values[3])
    }
    return try field(name, "a box is [x, y, width, height] in pixels, sizes not negative", result)
  }

  /// The value, or an error that names the record and the field it lacks.
  func require<Value>(_ value: Value?, _ name: String, _ expected: String) throws -> Value {
    guard let value else {
      throw EvaluationError.missingField(
        file: file, record: record, field: name, expected: expected)
    }
    return value
  }
}
