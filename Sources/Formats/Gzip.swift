import CZlib

/// Inflating gzip streams (RFC 1952) with zlib.
package enum Gzip {
  /// Inflates a gzip file, all its members one after the other.
  ///
  /// - Parameters:
  ///   - path: The file's path.
  ///   - limit: The most bytes the content may have; a guard against compression bombs.
  /// - Throws: ``FormatError`` when the file is missing, no gzip, damaged, cut short or too large.
  package static func decompress(path: String, limit: Int = 1 << 28) throws -> [UInt8] {
    try MappedFile.read(path) { try decompress($0, source: path, limit: limit) }
  }

  /// Inflates gzip bytes, all their members one after the other.
  ///
  /// - Parameters:
  ///   - bytes: The gzip members.
  ///   - source: What errors call the bytes.
  ///   - limit: The most bytes the content may have.
  /// - Throws: ``FormatError`` when the bytes are no gzip, damaged, cut short or too large.
  package static func decompress(
    _ bytes: UnsafeRawBufferPointer, source: String, limit: Int = 1 << 28
  ) throws -> [UInt8] {
    guard bytes.count >= 2, bytes[0] == 0x1F, bytes[1] == 0x8B else {
      throw FormatError(source, "is not a gzip file")
    }
    // 16 more than the largest window asks zlib for the gzip header and its checksum.
    let inflater = try Inflater(bytes, windowBits: MAX_WBITS + 16, source: source)
    let limit = min(limit, Inflater.limit(packed: bytes.count))
    var output: [UInt8] = []
    repeat {
      try inflater.appendStream(to: &output, limit: limit)
    } while try inflater.startNextMember()
    return output
  }
}

/// One run of zlib's inflate over bytes in memory.
final class Inflater {
  /// More than this many bytes from each packed one are no content but an attack on the memory: JSON
  /// and pickles come to 30, numbers to less; a run of zeros comes to 1000.
  static let largestRatio = 64
  /// What any input may unpack to, however well it packs.
  private static let unsuspected = 4 << 20

  /// The most bytes that so many packed ones may unpack to.
  static func limit(packed: Int) -> Int {
    max(unsuspected, packed.multipliedReportingOverflow(by: largestRatio).partialValue)
  }

  /// zlib remembers the address and refuses a stream that has moved.
  private let stream: UnsafeMutablePointer<z_stream>
  private let input: UnsafeRawBufferPointer
  private let source: String
  private var consumed = 0

  /// Prepares a run; negative window bits mean a raw deflate stream, as in zip archives.
  init(_ input: UnsafeRawBufferPointer, windowBits: Int32, source: String) throws {
    self.input = input
    self.source = source
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let code = inflateInit2_(
      stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard code == Z_OK else { throw FormatError(source, "zlib cannot start (code \(code))") }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Inflates up to the end of the stream or member.
  func appendStream(to output: inout [UInt8], limit: Int) throws {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let offered = min(input.count - consumed, 1 << 30)
      let start = input.baseAddress.map { $0 + consumed }
      stream.pointee.next_in = UnsafeMutablePointer(
        mutating: start?.assumingMemoryBound(to: UInt8.self))
      stream.pointee.avail_in = UInt32(offered)
      let (code, produced) = chunk.withUnsafeMutableBufferPointer { buffer in
        stream.pointee.next_out = buffer.baseAddress
        stream.pointee.avail_out = UInt32(buffer.count)
        let code = inflate(stream, Z_NO_FLUSH)
        return (code, buffer.count - Int(stream.pointee.avail_out))
      }
      consumed += offered - Int(stream.pointee.avail_in)
      guard output.count + produced <= limit else { throw Self.tooLarge(source, limit: limit) }
      output.append(contentsOf: chunk[..<produced])
      switch code {
      case Z_STREAM_END: return
      case Z_OK: continue
      case Z_BUF_ERROR:
        throw FormatError(source, place: "byte \(consumed)", "the compressed data is cut short")
      default:
        let reason = stream.pointee.msg.map { String(cString: $0) } ?? "zlib code \(code)"
        throw FormatError(
          source, place: "byte \(consumed)", "the compressed data is damaged (\(reason))")
      }
    }
  }

  static func tooLarge(_ source: String, limit: Int) -> FormatError {
    FormatError(
      source,
      "unpacks to more than \(limit, "byte"), over \(largestRatio) times its size or what such a "
        + "file may have; unpack it with another program and give the result")
  }

  /// Gets ready for another gzip member, if there is one.
  func startNextMember() throws -> Bool {
    let rest = UnsafeRawBufferPointer(rebasing: input[consumed...])
    if rest.allSatisfy({ $0 == 0 }) { return false }
    guard rest.count >= 2, rest[0] == 0x1F, rest[1] == 0x8B else {
      throw FormatError(source, place: "byte \(consumed)", "unexpected bytes after the gzip data")
    }
    guard inflateReset(stream) == Z_OK else {
      throw FormatError(source, "zlib cannot start again")
    }
    return true
  }
}
