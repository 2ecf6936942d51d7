import Foundation

/// Texts in other encodings than UTF-8, brought into UTF-8 by the system's iconv.
package enum TextDecoding {
  /// The encoding that a byte-order mark names.
  ///
  /// - Parameter bytes: The text's bytes.
  /// - Returns: The encoding and the mark's length; nil without a mark.
  package static func byteOrderMark(
    _ bytes: UnsafeRawBufferPointer
  ) -> (encoding: String, length: Int)? {
    // UTF-32 first: its mark begins as that of UTF-16 does.
    let marks: [([UInt8], String)] = [
      ([0xFF, 0xFE, 0, 0], "UTF-32LE"), ([0, 0, 0xFE, 0xFF], "UTF-32BE"),
      ([0xEF, 0xBB, 0xBF], "UTF-8"), ([0xFF, 0xFE], "UTF-16LE"), ([0xFE, 0xFF], "UTF-16BE"),
    ]
    return marks.first { bytes.starts(with: $0.0) }.map { ($0.1, $0.0.count) }
  }

  /// The encoding of a text without a mark whose first two characters are ASCII, as those of JSON are:
  /// where zeros stand among its first four bytes tells it (RFC 4627).
  ///
  /// - Parameter bytes: The text's bytes.
  /// - Returns: The encoding; nil for UTF-8 and all others without zeros.
  static func unmarked(_ bytes: UnsafeRawBufferPointer) -> String? {
    switch bytes.prefix(4).map({ $0 != 0 }) {
    case [true, false, true, false]: "UTF-16LE"
    case [false, true, false, true]: "UTF-16BE"
    case [true, false, false, false]: "UTF-32LE"
    case [false, false, false, true]: "UTF-32BE"
    default: nil
    }
  }

  /// The UTF-8 bytes of a text.
  ///
  /// - Parameters:
  ///   - bytes: The text in its own encoding, a byte-order mark left out.
  ///   - encoding: Its name, `UTF-16LE` or `GBK` for example.
  ///   - source: What errors call it.
  /// - Returns: The same text in UTF-8.
  /// - Throws: ``FormatError`` for an encoding that the system does not know, or bytes that are none of
  ///   its text.
  package static func utf8(
    _ bytes: UnsafeRawBufferPointer, from encoding: String, source: String
  ) throws -> [UInt8] {
    let handle = iconv_open("UTF-8", encoding)
    guard handle != iconv_t(bitPattern: -1) else {
      throw FormatError(
        source,
        "its text is said to be \"\(PrintedText.escaped(String(encoding.prefix(40))))\", which this "
          + "system cannot read; convert it to UTF-8")
    }
    defer { iconv_close(handle) }
    var input = UnsafeMutablePointer(
      mutating: bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
    var left = bytes.count
    var result: [UInt8] = []
    // A character takes at most 4 bytes and has at least one.
    result.reserveCapacity(bytes.count)
    var chunk = [CChar](repeating: 0, count: 1 << 16)
    while left > 0 {
      let (code, written) = chunk.withUnsafeMutableBufferPointer { buffer in
        var output = buffer.baseAddress
        var room = buffer.count
        let code = iconv(handle, &input, &left, &output, &room)
        return (code == -1 ? errno : 0, buffer.count - room)
      }
      result += chunk[..<written].lazy.map { UInt8(bitPattern: $0) }
      guard code == 0 || code == E2BIG else {
        throw FormatError(
          source, place: "byte \(bytes.count - left)",
          "is no \(encoding) text here; save the file as UTF-8")
      }
    }
    return result
  }
}
