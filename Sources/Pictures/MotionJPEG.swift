import Formats

/// JPEG files one after the other; what stands between them, as in multipart streams, is skipped.
struct MotionJPEG: FrameContainer {
  /// What errors call the stream.
  let name: String
  /// The most bytes of a frame.
  private static let mostBytes = 1 << 28
  /// The most bytes between frames.
  private static let mostBetween = 1 << 16
  private static let quality = 92

  var header: [UInt8] { [] }

  func decode(_ frame: [UInt8]) throws -> Image {
    try frame.withUnsafeBytes { try JPEG.decode($0, name: name) }
  }

  func encode(_ image: Image) throws -> [UInt8] {
    Array(try JPEG.encode(image, quality: Self.quality, name: name))
  }

  func next(_ stream: ByteStream) throws -> [UInt8]? {
    guard try skipToStart(stream) else { return nil }
    var reader = FrameReader(stream: stream, name: name, most: Self.mostBytes)
    return try reader.frame()
  }

  /// Goes behind the next start of an image; false at the end of the stream.
  private func skipToStart(_ stream: ByteStream) throws -> Bool {
    var (last, skipped) = (UInt8(0), 0)
    while let byte = try stream.next() {
      if last == 0xFF, byte == 0xD8 { return true }
      last = byte
      skipped += 1
      guard skipped <= Self.mostBetween else {
        throw PictureError(
          path: name,
          reason: "has \(skipped, "byte") that \(skipped.verb("begins", "begin")) no JPEG frame")
      }
    }
    return false
  }

  /// Takes one JPEG file marker by marker: a thumbnail inside of it has an end of its own.
  private struct FrameReader {
    let stream: ByteStream
    let name: String
    let most: Int
    var bytes: [UInt8] = [0xFF, 0xD8]

    mutating func frame() throws -> [UInt8] {
      while true {
        switch try marker() {
        case 0xD9: return bytes
        case 0x01, 0xD0...0xD7: continue
        default: try segment()
        }
      }
    }

    private mutating func take() throws -> UInt8 {
      guard let byte = try stream.next() else {
        throw PictureError(path: name, reason: "ends inside a JPEG frame")
      }
      guard bytes.count < most else {
        throw PictureError(path: name, reason: "has a JPEG frame of more than \(most, "byte")")
      }
      bytes.append(byte)
      return byte
    }

    /// The next marker, behind whatever precedes it: after a scan its data.
    private mutating func marker() throws -> UInt8 {
      while true {
        while try take() != 0xFF {}
        var kind = try take()
        while kind == 0xFF { kind = try take() }
        if kind != 0 { return kind }
      }
    }

    private mutating func segment() throws {
      let length = Int(try take()) << 8 | Int(try take())
      for _ in 0..<max(0, length - 2) { _ = try take() }
    }
  }
}
