import Foundation

/// An element of a small XML document as a tree, for annotation files.
///
/// Names, text, CDATA and character references are read; attributes, comments, processing instructions
/// and the document type are skipped. Foundation's reader is not used because the distributed binary
/// would need libxml2.
package struct MarkupElement: Sendable, Equatable {
  /// The element's name.
  package let name: String
  /// The text directly inside it, without spaces at both ends.
  package internal(set) var text = ""
  /// The elements directly inside it, in order.
  package internal(set) var children: [MarkupElement] = []

  /// The first child of a name.
  ///
  /// - Parameter name: The child's name.
  /// - Returns: The child, or nil.
  package func child(_ name: String) -> MarkupElement? { children.first { $0.name == name } }

  /// Parses a document.
  ///
  /// - Parameters:
  ///   - bytes: The document, in the encoding of its byte-order mark or its first line, else in UTF-8.
  ///   - source: What errors call it.
  /// - Throws: ``FormatError`` with the line when it is cut short, not well formed or not in its
  ///   encoding.
  package init(parsing bytes: UnsafeRawBufferPointer, source: String) throws {
    let mark = TextDecoding.byteOrderMark(bytes)
    let body = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(mark?.length ?? 0))
    // A mark that the first line contradicts is the bytes' own and wins.
    let encoding = mark?.encoding ?? Self.declaredEncoding(body) ?? "UTF-8"
    let text =
      encoding.uppercased() == "UTF-8"
      ? Array(body) : try TextDecoding.utf8(body, from: encoding, source: source)
    var reader = XMLReader(bytes: text, source: source)
    guard String(validating: text, as: UTF8.self) != nil else {
      throw reader.notUTF8()
    }
    self = try reader.document()
  }

  /// The encoding that `<?xml … encoding="…"?>` names.
  private static func declaredEncoding(_ bytes: UnsafeRawBufferPointer) -> String? {
    let head = String(decoding: bytes.prefix(200), as: UTF8.self)
    guard head.hasPrefix("<?xml"), let line = head.firstRange(of: "?>"),
      let match = head[..<line.lowerBound].firstMatch(of: /encoding\s*=\s*["']([^"']+)["']/)
    else { return nil }
    return String(match.1)
  }

  init(name: String) { self.name = name }
}

/// Reads a document from front to back.
private struct XMLReader {
  private static let deepest = 256

  let bytes: [UInt8]
  let source: String
  private var position = 0

  init(bytes: [UInt8], source: String) {
    self.bytes = bytes
    self.source = source
  }

  /// The error of a text that is in another encoding than it says.
  mutating func notUTF8() -> FormatError {
    while position < bytes.count {
      let rest = bytes[position...].prefix { $0 != 0x0A }
      guard String(validating: rest, as: UTF8.self) != nil else { break }
      position += rest.count + 1
    }
    return error(
      "is no UTF-8 text; name its encoding in the first line (<?xml version=\"1.0\" "
        + "encoding=\"GBK\"?>) or save the file as UTF-8")
  }

  private func error(_ reason: String) -> FormatError {
    let line = bytes.prefix(position).count { $0 == 0x0A } + 1
    return FormatError(source, place: "line \(line)", reason)
  }

  private var cutShort: FormatError { error("the text ends inside an element") }

  mutating func document() throws -> MarkupElement {
    var open: [(element: MarkupElement, text: [UInt8])] = []
    var root: MarkupElement?
    while position < bytes.count {
      if skip("<!--", to: "-->") || skip("<?", to: "?>") { continue }
      if !open.isEmpty, let text = cdata() {
        open[open.count - 1].text += text
      } else if starts(with: "<!") {
        try skipDocumentType()
      } else if starts(with: "</") {
        position += 2
        let name = try self.name()
        skipSpaces()
        guard let (element, text) = open.popLast(), element.name == name, take(0x3E) else {
          throw error("the end of an element \"\(name)\" that is not open")
        }
        let closed = try Self.closed(element, text, self)
        if open.isEmpty {
          root = closed
        } else {
          open[open.count - 1].element.children.append(closed)
        }
      } else if bytes[position] == 0x3C {
        guard !open.isEmpty || root == nil else { throw error("a second element at the top") }
        position += 1
        let element = MarkupElement(name: try name())
        if try !skipAttributes() {
          guard open.count < Self.deepest else { throw error("nested deeper than \(Self.deepest)") }
          open.append((element, []))
        } else if open.isEmpty {
          root = element
        } else {
          open[open.count - 1].element.children.append(element)
        }
      } else {
        let byte = bytes[position]
        if open.isEmpty {
          guard Self.isSpace(byte) || byte >= 0x80 else {
            throw error("text outside of an element")
          }
        } else {
          open[open.count - 1].text.append(byte)
        }
        position += 1
      }
    }
    guard open.isEmpty, let root else { throw cutShort }
    return root
  }

  private static func closed(
    _ element: MarkupElement, _ text: [UInt8], _ reader: XMLReader
  ) throws -> MarkupElement {
    var element = element
    let whole = String(decoding: text, as: UTF8.self)
    element.text = try reader.resolved(whole).trimmingCharacters(in: .whitespacesAndNewlines)
    return element
  }

  /// The text with its references replaced.
  private func resolved(_ text: String) throws -> String {
    guard text.contains("&") else { return text }
    let parts = text.split(separator: "&", omittingEmptySubsequences: false)
    var result = String(parts[0])
    for part in parts.dropFirst() {
      guard let end = part.firstIndex(of: ";") else { throw error("a '&' without ';'") }
      let name = part[..<end]
      let named = ["lt": "<", "gt": ">", "amp": "&", "apos": "'", "quot": "\""]
      if let character = named[String(name)] {
        result += character
      } else {
        let isHexadecimal = name.hasPrefix("#x")
        let digits = name.dropFirst(isHexadecimal ? 2 : 1)
        guard name.hasPrefix("#"),
          let scalar = UInt32(digits, radix: isHexadecimal ? 16 : 10).flatMap(UnicodeScalar.init)
        else { throw error("the unknown reference '&\(name);'") }
        result.unicodeScalars.append(scalar)
      }
      result += part[part.index(after: end)...]
    }
    return result
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
  }

  private func starts(with text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard position + count <= bytes.count else { return false }
    return (0..<count).allSatisfy { bytes[position + $0] == text.utf8Start[$0] }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipSpaces() {
    while position < bytes.count, Self.isSpace(bytes[position]) { position += 1 }
  }

  /// Skips from one mark to another; false when the first does not stand here.
  private mutating func skip(_ start: StaticString, to end: StaticString) -> Bool {
    guard starts(with: start) else { return false }
    position += start.utf8CodeUnitCount
    while position < bytes.count, !starts(with: end) { position += 1 }
    position = min(bytes.count, position + end.utf8CodeUnitCount)
    return true
  }

  /// The text of a CDATA section, marked-up characters written as references.
  private mutating func cdata() -> [UInt8]? {
    let start = position + 9
    guard skip("<![CDATA[", to: "]]>") else { return nil }
    let text = bytes[min(start, bytes.count)..<max(min(start, bytes.count), position - 3)]
    return text.flatMap { $0 == 0x26 ? Array("&amp;".utf8) : [$0] }
  }

  /// Skips `<!DOCTYPE ...>` with what stands in its brackets.
  private mutating func skipDocumentType() throws {
    var depth = 0
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      if byte == 0x3C { depth += 1 }
      if byte == 0x3E { depth -= 1 }
      if depth == 0 { return }
    }
    throw cutShort
  }

  private mutating func name() throws -> String {
    let start = position
    while position < bytes.count, !Self.isSpace(bytes[position]),
      ![0x2F, 0x3C, 0x3E, 0x3D].contains(bytes[position])
    { position += 1 }
    guard position < bytes.count else { throw cutShort }
    guard position > start else { throw error("an element without a name") }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  /// Skips to the end of a tag; true when the element is empty: `<name/>`.
  private mutating func skipAttributes() throws -> Bool {
    var quote: UInt8?
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      if let open = quote {
        if byte == open { quote = nil }
      } else if byte == 0x22 || byte == 0x27 {
        quote = byte
      } else if byte == 0x3E {
        return bytes[position - 2] == 0x2F
      } else if byte == 0x3C {
        throw error("a '<' inside a tag")
      }
    }
    throw cutShort
  }
}
