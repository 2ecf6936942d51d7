import Foundation

/// Reads JSON (RFC 8259) value by value without building a tree, for files of any size.
///
/// ```swift
/// var scanner = JSONScanner(file)
/// try scanner.beginObject()
/// while let key = try scanner.nextKey() {
///   if key == "images" {
///     try scanner.beginArray()
///     while try scanner.nextElement() { … }
///   } else {
///     try scanner.skipValue()
///   }
/// }
/// try scanner.end()
/// ```
/// Every error is a ``FormatError`` with line and column.
package struct JSONScanner {
  /// The kind of the value that stands next.
  package enum Kind: String, Sendable {
    case object, array, string, number, bool, null
  }

  /// What keeps ``bytes`` alive: a text, or else ``file``.
  private let text: OwnedBytes?
  private let file: MappedFile?
  /// Whether pages that were read are given back.
  private let givesBack: Bool
  private var released = 0
  let bytes: UnsafeRawBufferPointer
  private let source: String
  /// The offset of the byte that is read next.
  package internal(set) var position = 0
  /// One entry per open object or array: whether a first element was already read.
  private var started: [Bool] = []
  private static let deepest = 512
  private static let releasedAtOnce = 8 << 20

  /// Scans a mapped file.
  ///
  /// - Parameter file: The file; the scanner keeps it alive.
  package init(_ file: MappedFile) {
    text = nil
    self.file = file
    givesBack = true
    bytes = file.bytes
    source = file.path
    skipByteOrderMark()
  }

  /// Scans a value in the middle of a mapped file.
  package init(_ file: MappedFile, at offset: Int) {
    precondition((0...file.bytes.count).contains(offset), "a value lies in the file")
    text = nil
    self.file = file
    givesBack = false
    bytes = file.bytes
    source = file.path
    position = offset
  }

  /// Scans a text.
  ///
  /// - Parameters:
  ///   - text: The JSON text.
  ///   - source: What errors call it.
  package init(text: String, source: String) {
    let data = Array(text.utf8)
    let box = OwnedBytes(data)
    self.text = box
    file = nil
    givesBack = false
    bytes = box.bytes
    self.source = source
    skipByteOrderMark()
  }

  private mutating func skipByteOrderMark() {
    if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { position = 3 }
  }

  /// Gives the memory of what was read back to the system from time to time.
  ///
  /// To be called after each record of a large file; reading it again later costs time only.
  package mutating func releaseBehind() {
    guard givesBack, position - released >= Self.releasedAtOnce, let file else { return }
    file.release(released..<position)
    released = position
  }

  // MARK: Errors

  /// An error at the place that was read last.
  ///
  /// - Parameter reason: What is wrong and what to do.
  /// - Returns: The error with source, line and column.
  package func error(_ reason: String) -> FormatError {
    do { try file?.check() } catch let cause as FormatError { return cause } catch {}
    var line = 1
    var column = 1
    for index in 0..<min(position, bytes.count) {
      if bytes[index] == 0x0A {
        line += 1
        column = 1
      } else {
        column += 1
      }
    }
    return FormatError(source, place: "line \(line), column \(column)", reason)
  }

  // MARK: Structure

  @inline(__always) private mutating func peekByte() -> UInt8? {
    while position < bytes.count {
      let byte = bytes[position]
      let isSpace = byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
      guard isSpace else { return byte }
      position += 1
    }
    return nil
  }

  /// The kind of the value that stands next.
  ///
  /// - Throws: ``FormatError`` at the end of the text or at a byte that starts no value.
  package mutating func peek() throws -> Kind {
    guard let byte = peekByte() else { throw error("the text ends where a value should stand") }
    switch byte {
    case 0x7B: return .object
    case 0x5B: return .array
    case 0x22: return .string
    case 0x74, 0x66: return .bool
    case 0x6E: return .null
    case 0x2D, 0x30...0x39: return .number
    case 0x4E, 0x49: throw error("NaN and Infinity are not JSON numbers")
    default: throw error("unexpected character '\(Character(UnicodeScalar(byte)))'")
    }
  }

  private mutating func expect(_ byte: UInt8, _ what: String) throws {
    guard let found = peekByte() else { throw error("the text ends where \(what) should stand") }
    guard found == byte else {
      throw error("expected \(what), found '\(Character(UnicodeScalar(found)))'")
    }
    position += 1
  }

  private mutating func open() throws {
    guard started.count < Self.deepest else { throw error("nested deeper than \(Self.deepest)") }
    started.append(false)
  }

  /// Enters an object; read its members with ``nextKey()``.
  ///
  /// - Throws: ``FormatError`` when something else stands here.
  package mutating func beginObject() throws {
    try expect(0x7B, "an object")
    try open()
  }

  /// Enters an array; read its elements after each ``nextElement()``.
  ///
  /// - Throws: ``FormatError`` when something else stands here.
  package mutating func beginArray() throws {
    try expect(0x5B, "an array")
    try open()
  }

  private mutating func next(closing: UInt8) throws -> Bool {
    guard let byte = peekByte() else { throw error("the text ends inside an object or array") }
    guard let first = started.last else { throw error("no object or array is open") }
    if byte == closing {
      position += 1
      started.removeLast()
      return false
    }
    if first {
      try expect(0x2C, "',' or '\(Character(UnicodeScalar(closing)))'")
    } else {
      started[started.count - 1] = true
    }
    return true
  }

  /// The next member's key, or nil after the last, which also leaves the object.
  ///
  /// - Returns: The key, or nil at the object's end.
  /// - Throws: ``FormatError`` at a syntax error.
  package mutating func nextKey() throws -> String? {
    guard try next(closing: 0x7D) else { return nil }
    let key = try string()
    try expect(0x3A, "':'")
    return key
  }

  /// Whether another element follows; false also leaves the array.
  ///
  /// - Returns: True when a value stands next.
  /// - Throws: ``FormatError`` at a syntax error.
  package mutating func nextElement() throws -> Bool {
    try next(closing: 0x5D)
  }

  /// Checks that nothing follows the document.
  ///
  /// - Throws: ``FormatError`` when something does.
  package mutating func end() throws {
    if peekByte() != nil { throw error("unexpected text after the document") }
    try file?.check()
  }

  // MARK: Values

  /// Reads a string.
  ///
  /// - Returns: The string with its escapes resolved.
  /// - Throws: ``FormatError`` when something else stands here or the string is broken.
  package mutating func string() throws -> String {
    try expect(0x22, "a string")
    let start = position
    var seen: UInt8 = 0
    while position < bytes.count {
      let byte = bytes[position]
      if byte == 0x22 {
        let slice = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
        // Beyond ASCII a copy is validated: a mapped file may change between the look and the taking.
        let text =
          seen < 0x80
          ? String(validating: slice, as: UTF8.self)
          : String(validating: Array(slice), as: UTF8.self)
        guard let text else { throw error("a string is not valid UTF-8; save the file as UTF-8") }
        position += 1
        return text
      }
      if byte == 0x5C { return try escapedString(from: start) }
      guard byte >= 0x20 else { throw error("a control character inside a string") }
      seen |= byte
      position += 1
    }
    throw error("the text ends inside a string")
  }

  private mutating func escapedString(from start: Int) throws -> String {
    var buffer = Array(bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      if byte == 0x22 {
        guard let text = String(validating: buffer, as: UTF8.self) else {
          throw error("a string is not valid UTF-8; save the file as UTF-8")
        }
        return text
      }
      guard byte == 0x5C else {
        guard byte >= 0x20 else { throw error("a control character inside a string") }
        buffer.append(byte)
        continue
      }
      guard position < bytes.count else { break }
      let escape = bytes[position]
      position += 1
      switch escape {
      case 0x22, 0x5C, 0x2F: buffer.append(escape)
      case 0x62: buffer.append(0x08)
      case 0x66: buffer.append(0x0C)
      case 0x6E: buffer.append(0x0A)
      case 0x72: buffer.append(0x0D)
      case 0x74: buffer.append(0x09)
      case 0x75:
        var code = UInt32(try hexadecimal())
        if code >> 10 == 0x36, position + 1 < bytes.count, bytes[position] == 0x5C,
          bytes[position + 1] == 0x75
        {
          position += 2
          let low = UInt32(try hexadecimal())
          code = low >> 10 == 0x37 ? 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF) : 0xFFFD
        }
        let scalar = UnicodeScalar(code) ?? "\u{FFFD}"
        buffer.append(contentsOf: Array(String(Character(scalar)).utf8))
      default: throw error("unknown escape in a string")
      }
    }
    throw error("the text ends inside a string")
  }

  private mutating func hexadecimal() throws -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<4 {
      guard position < bytes.count else { throw error("the text ends inside a string") }
      let byte = bytes[position]
      position += 1
      switch byte {
      case 0x30...0x39: value = value << 4 | UInt16(byte - 0x30)
      case 0x41...0x46: value = value << 4 | UInt16(byte - 0x41 + 10)
      case 0x61...0x66: value = value << 4 | UInt16(byte - 0x61 + 10)
      default: throw error("a \\u escape needs four hexadecimal digits")
      }
    }
    return value
  }

  /// Reads a number.
  ///
  /// - Returns: The nearest double; always finite.
  /// - Throws: ``FormatError`` when something else stands here or the number overflows.
  package mutating func number() throws -> Double {
    guard try peek() == .number else { throw error("expected a number, found \(try peek())") }
    let start = position
    var negative = false
    if bytes[position] == 0x2D {
      negative = true
      position += 1
    }
    let firstDigit = position
    var mantissa: UInt64 = 0
    var digits = 0
    var simple = true
    while position < bytes.count, case let byte = bytes[position], byte >= 0x30, byte <= 0x39 {
      digits += 1
      if digits <= 18 { mantissa = mantissa * 10 + UInt64(byte - 0x30) } else { simple = false }
      position += 1
    }
    guard digits > 0 else { throw error("a number needs a digit") }
    guard digits == 1 || bytes[firstDigit] != 0x30 else {
      throw error("a number must not start with 0")
    }
    var fraction = 0
    if position < bytes.count, bytes[position] == 0x2E {
      position += 1
      let first = position
      while position < bytes.count, case let byte = bytes[position], byte >= 0x30, byte <= 0x39 {
        digits += 1
        fraction += 1
        if digits <= 18 { mantissa = mantissa * 10 + UInt64(byte - 0x30) } else { simple = false }
        position += 1
      }
      guard position > first else { throw error("a decimal point needs a digit after it") }
    }
    if position < bytes.count, bytes[position] | 0x20 == 0x65 {
      simple = false
      position += 1
      if position < bytes.count, bytes[position] == 0x2B || bytes[position] == 0x2D {
        position += 1
      }
      let first = position
      while position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 {
        position += 1
      }
      guard position > first else { throw error("an exponent needs a digit") }
    }
    // Both factors are exact below 2^53 and 10^22, so one division rounds correctly.
    if simple, mantissa < 1 << 53, fraction < Self.powersOfTen.count {
      let value = Double(mantissa) / Self.powersOfTen[fraction]
      return negative ? -value : value
    }
    let digitsRead = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    let text = String(decoding: digitsRead, as: UTF8.self)
    guard let value = Double(text), value.isFinite else {
      throw error("the number \(text) overflows")
    }
    return value
  }

  private static let powersOfTen: [Double] = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
    1e18, 1e19, 1e20, 1e21, 1e22,
  ]

  /// Reads true or false.
  ///
  /// - Throws: ``FormatError`` when something else stands here.
  package mutating func bool() throws -> Bool {
    guard try peek() == .bool else { throw error("expected true or false, found \(try peek())") }
    if try literal("true", optional: true) { return true }
    _ = try literal("false", optional: false)
    return false
  }

  /// Reads null.
  ///
  /// - Throws: ``FormatError`` when something else stands here.
  package mutating func null() throws {
    guard try peek() == .null else { throw error("expected null, found \(try peek())") }
    _ = try literal("null", optional: false)
  }

  private mutating func literal(_ word: StaticString, optional: Bool) throws -> Bool {
    let count = word.utf8CodeUnitCount
    if position + count <= bytes.count {
      let same = (0..<count).allSatisfy { bytes[position + $0] == word.utf8Start[$0] }
      if same {
        position += count
        return true
      }
    }
    if optional { return false }
    throw error("expected '\(word)'")
  }

  /// Skips one value of any kind, checking its syntax.
  ///
  /// - Throws: ``FormatError`` at a syntax error.
  package mutating func skipValue() throws {
    switch try peek() {
    case .object:
      try beginObject()
      while try nextKey() != nil { try skipValue() }
    case .array:
      if skipNumberArray() { return }
      try beginArray()
      while try nextElement() { try skipValue() }
    case .string: if !skipPlainString() { _ = try string() }
    case .number: _ = try number()
    case .bool: _ = try bool()
    case .null: try null()
    }
  }

  /// Reads one value of any kind as a tree.
  ///
  /// - Throws: ``FormatError`` at a syntax error or a repeated key.
  package mutating func value() throws -> JSONValue {
    switch try peek() {
    case .object:
      var members: [String: JSONValue] = [:]
      try beginObject()
      while let key = try nextKey() {
        guard members[key] == nil else { throw error("the key \"\(key)\" stands twice") }
        members[key] = try value()
      }
      return .object(members)
    case .array:
      var elements: [JSONValue] = []
      try beginArray()
      while try nextElement() { elements.append(try value()) }
      return .array(elements)
    case .string: return .string(try string())
    case .number: return .number(try number())
    case .bool: return .bool(try bool())
    case .null:
      try null()
      return .null
    }
  }
}

/// Keeps a copied text alive for a scanner.
private final class OwnedBytes {
  let bytes: UnsafeRawBufferPointer

  init(_ data: [UInt8]) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: data.count, alignment: 16)
    copy.copyBytes(from: data)
    bytes = UnsafeRawBufferPointer(copy)
  }

  deinit { bytes.deallocate() }
}
