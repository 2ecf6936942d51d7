import Foundation

/// A JSON document as a tree, for small files and for writing.
package enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// Parses a text.
  ///
  /// - Parameters:
  ///   - text: The JSON text.
  ///   - source: What errors call it.
  /// - Throws: ``FormatError`` with line and column.
  package init(parsing text: String, source: String) throws {
    var scanner = JSONScanner(text: text, source: source)
    self = try scanner.value()
    try scanner.end()
  }

  /// Parses a file.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``FormatError`` with line and column, and for a file whose tree would take gigabytes.
  package init(contentsOf path: String) throws {
    let file = try MappedFile.text(path)
    guard file.bytes.count <= Self.largestTree else {
      throw FormatError(
        path,
        "has \(file.bytes.count, "byte"), more than the \(Self.largestTree) that a file of this "
          + "kind may have; is it the right one?")
    }
    var scanner = JSONScanner(file)
    self = try scanner.value()
    try scanner.end()
  }

  /// A tree takes up to 30 times the bytes of its text.
  private static let largestTree = 1 << 25

  /// The member of an object, or nil.
  package subscript(key: String) -> JSONValue? {
    if case .object(let members) = self { members[key] } else { nil }
  }

  /// The string, or nil for another kind.
  package var string: String? { if case .string(let value) = self { value } else { nil } }
  /// The number, or nil for another kind.
  package var number: Double? { if case .number(let value) = self { value } else { nil } }
  /// The number when it is whole, or nil.
  package var integer: Int? { number.flatMap { Int(exactly: $0) } }
  /// The truth value, or nil for another kind.
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  /// The elements, or nil for another kind.
  package var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  /// The members, or nil for another kind.
  package var object: [String: JSONValue]? {
    if case .object(let value) = self { value } else { nil }
  }

  /// The JSON text; keys sorted, doubles in the shortest form that reads back equal.
  ///
  /// - Parameter pretty: One member or element a line, indented by two spaces.
  /// - Returns: The text, without a line end.
  package func text(pretty: Bool = false) -> String {
    var out = ""
    write(to: &out, pretty: pretty, depth: 0)
    return out
  }

  /// Appends the JSON text to a string.
  ///
  /// - Parameters:
  ///   - out: The string to append to.
  ///   - pretty: One member or element a line.
  ///   - depth: The indentation to start at.
  package func write(to out: inout String, pretty: Bool = false, depth: Int = 0) {
    switch self {
    case .null: out += "null"
    case .bool(let value): out += value ? "true" : "false"
    case .number(let value): out += Self.text(of: value)
    case .string(let value): Self.quote(value, into: &out)
    case .array(let elements):
      // Arrays of plain numbers stay on one line even in pretty text.
      let flat = elements.allSatisfy { $0.number != nil }
      Self.list(elements, brackets: ("[", "]"), pretty: pretty && !flat, depth, &out) {
        $0.write(to: &$1, pretty: pretty, depth: depth + 1)
      }
    case .object(let members):
      let sorted = members.sorted { $0.key < $1.key }
      Self.list(sorted, brackets: ("{", "}"), pretty: pretty, depth, &out) {
        Self.quote($0.key, into: &$1)
        $1 += pretty ? ": " : ":"
        $0.value.write(to: &$1, pretty: pretty, depth: depth + 1)
      }
    }
  }

  private static func list<Element>(
    _ elements: [Element], brackets: (String, String), pretty: Bool, _ depth: Int,
    _ out: inout String, _ body: (Element, inout String) -> Void
  ) {
    out += brackets.0
    for (index, element) in elements.enumerated() {
      if index > 0 { out += "," }
      if pretty { out += "\n" + String(repeating: "  ", count: depth + 1) }
      body(element, &out)
    }
    if pretty, !elements.isEmpty { out += "\n" + String(repeating: "  ", count: depth) }
    out += brackets.1
  }

  /// The shortest text of a number; NaN and infinities, which JSON lacks, become null.
  private static func text(of value: Double) -> String {
    guard value.isFinite else { return "null" }
    if let whole = Int(exactly: value), abs(value) < 1e15 { return String(whole) }
    return "\(value)"
  }

  private static func quote(_ text: String, into out: inout String) {
    out += "\""
    for scalar in text.unicodeScalars {
      // What a terminal would obey or not show, beyond what JSON itself asks for.
      if scalar.value >= 0x7F, PrintedText.isHidden(scalar) {
        for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
          let hex = String(unit, radix: 16)
          out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        }
        continue
      }
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      default:
        if scalar.value < 0x20 {
          out += "\\u" + scalar.value.digits(4, radix: 16)
        } else {
          out.unicodeScalars.append(scalar)
        }
      }
    }
    out += "\""
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByFloatLiteral,
  ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  /// A string.
  package init(stringLiteral value: String) { self = .string(value) }
  /// A number.
  package init(floatLiteral value: Double) { self = .number(value) }
  /// A whole number.
  package init(integerLiteral value: Int) { self = .number(Double(value)) }
  /// A truth value.
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  /// An array.
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// An object; of equal keys the last wins.
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(elements) { $1 })
  }
}
