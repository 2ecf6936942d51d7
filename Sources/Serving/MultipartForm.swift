import Formats
import Foundation

/// A form with files, as browsers and `curl -F` send it (RFC 7578).
struct MultipartForm {
  /// A field.
  struct Field: Equatable {
    /// The field's name.
    let name: String
    /// Whether it is a file.
    let isFile: Bool
    /// Its content.
    let content: ArraySlice<UInt8>

    /// The content as text, or nil when it is none.
    var text: String? { String(validating: content, as: UTF8.self) }
  }

  private static let mostFields = 64

  /// The fields in order.
  let fields: [Field]

  /// Takes a body apart.
  ///
  /// - Parameters:
  ///   - body: The body.
  ///   - contentType: The header that names the boundary.
  /// - Throws: ``HTTPFault`` for a form that is malformed or cut short.
  init(_ body: [UInt8], contentType: String) throws(HTTPFault) {
    func refuse(_ reason: String) -> HTTPFault { HTTPFault(.badRequest, "the form \(reason)") }
    guard let boundary = Self.parameter("boundary", of: contentType),
      (1...70).contains(boundary.utf8.count)
    else { throw refuse("names no boundary") }
    let mark = Array("--\(boundary)".utf8)
    var fields: [Field] = []
    guard var place = Self.find(mark, in: body, from: 0) else { throw refuse("has no boundary") }
    while true {
      var start = place + mark.count
      if body[start...].starts(with: Array("--".utf8)) { break }
      guard let lineEnd = Self.afterLineEnd(body, at: start) else {
        throw refuse("has a malformed boundary")
      }
      start = lineEnd
      guard let next = Self.find(Array("\r\n".utf8) + mark, in: body, from: start - 2) else {
        throw refuse("is cut short")
      }
      guard fields.count < Self.mostFields else {
        throw refuse("has more than \(Self.mostFields, "field")")
      }
      // A part without headers and content shares its line end with the boundary.
      guard next >= start else { throw refuse("has a part without a name") }
      fields.append(try Self.field(body[start..<next]))
      place = next + 2
    }
    self.fields = fields
  }

  /// The first field of a name.
  subscript(name: String) -> Field? { fields.first { $0.name == name } }

  private static func field(_ part: ArraySlice<UInt8>) throws(HTTPFault) -> Field {
    guard let end = find(Array("\r\n\r\n".utf8), in: part, from: part.startIndex),
      let head = String(validating: part[..<end], as: UTF8.self)
    else { throw HTTPFault(.badRequest, "the form has a part without headers") }
    for line in head.split(separator: "\r\n") {
      guard line.lowercased().hasPrefix("content-disposition:"),
        let name = parameter("name", of: line)
      else { continue }
      return Field(
        name: name, isFile: parameter("filename", of: line) != nil, content: part[(end + 4)...])
    }
    throw HTTPFault(.badRequest, "the form has a part without a name")
  }

  /// A parameter of a header, with or without quotes.
  private static func parameter(_ name: String, of header: some StringProtocol) -> String? {
    for part in header.split(separator: ";").dropFirst() {
      let pair = part.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, pair[0].trimmed.lowercased() == name else { continue }
      let value = pair[1].trimmed
      let isQuoted = value.count >= 2 && value.first == "\"" && value.last == "\""
      return isQuoted ? String(value.dropFirst().dropLast()) : value
    }
    return nil
  }

  private static func afterLineEnd(_ body: [UInt8], at start: Int) -> Int? {
    var index = start
    while index < body.count, body[index] == 32 || body[index] == 9 { index += 1 }
    guard body[index...].starts(with: [13, 10]) else { return nil }
    return index + 2
  }

  /// The place of bytes in others, or nil.
  private static func find(_ wanted: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    find(wanted, in: bytes[...], from: start)
  }

  private static func find(_ wanted: [UInt8], in bytes: ArraySlice<UInt8>, from start: Int) -> Int?
  {
    guard start >= bytes.startIndex, bytes.endIndex - start >= wanted.count else { return nil }
    let (origin, last) = (bytes.startIndex, bytes.endIndex - wanted.count)
    return bytes.withUnsafeBytes { memory in
      wanted.withUnsafeBytes { wanted in
        guard let base = memory.baseAddress, let mark = wanted.baseAddress else { return nil }
        var place = start - origin
        while place <= last - origin {
          // From one place that begins right to the next.
          guard
            let next = memchr(base + place, Int32(wanted[0]), last - origin - place + 1)
          else { return nil }
          place = UnsafeRawPointer(next) - base
          if memcmp(base + place, mark, wanted.count) == 0 { return place + origin }
          place += 1
        }
        return nil
      }
    }
  }
}
