import Formats
import Foundation
import TestSupport
import Testing

@testable import Pictures

extension InputFormat {
  static let pictures: [InputFormat] = [
    InputFormat(
      name: "jpeg", file: "a.jpg", kind: .bytes,
      seeds: { scratch in
        try [40, 9].map { side in
          try encoded(side, scratch, "seed.jpg") { try $0.writeJPEG($1) }
        }
      }, read: decode),
    InputFormat(
      name: "png", file: "a.png", kind: .bytes,
      seeds: { scratch in
        try [40, 9].map { side in
          try encoded(side, scratch, "seed.png") { try $0.writePNG($1) }
        }
      }, mend: checksummed, read: decode),
    InputFormat(name: "bmp", file: "a.bmp", kind: .bytes, seeds: { _ in [bitmap] }, read: decode),
    InputFormat(
      name: "webp", file: "a.webp", kind: .bytes,
      seeds: { _ in
        [
          [UInt8](
            try #require(
              Data(
                base64Encoded:
                  "UklGRkIAAABXRUJQVlA4TDYAAAAvAkAAAC9AkG2zQdzr/jLTIJO2yV//dmZtZNI2rYf986+y8x9o5JGs+wYE"
                  + "ApSx4oFtIvof4wU=")))
        ]
      }, read: decode),
    InputFormat(
      name: "yuv4mpeg", file: "a.y4m", kind: .bytes,
      seeds: { _ in
        [
          Array("YUV4MPEG2 W6 H4 F25:1 Ip A1:1 C420jpeg\n".utf8)
            + (0..<3).flatMap { frame in
              Array("FRAME\n".utf8) + (0..<36).map { UInt8(7 * $0 + frame) }
            }
        ]
      }, read: frames),
    InputFormat(
      name: "mjpeg", file: "a.mjpeg", kind: .bytes,
      seeds: { scratch in
        let frame = try encoded(16, scratch, "seed.jpg") { try $0.writeJPEG($1) }
        return [frame + frame + frame]
      }, read: frames),
  ]

  private static func encoded(
    _ side: Int, _ scratch: Scratch, _ name: String, _ write: (Image, String) throws -> Void
  ) throws -> [UInt8] {
    let bytes = (0..<3 * side * (side + 3)).map { UInt8(truncatingIfNeeded: $0 * $0 / 7) }
    let path = "\(scratch.path)/\(name)"
    try write(Image(width: side, height: side + 3, bytes: bytes), path)
    return [UInt8](try Data(contentsOf: URL(filePath: path)))
  }

  @Sendable private static func decode(_ path: String) throws {
    let image = try ImageDecoder.decode(path: path)
    #expect(image.bytes.count == image.width * image.height * 3)
    let header = try PictureHeader(path: path)
    #expect((header.width, header.height) == (image.width, image.height))
  }

  @Sendable private static func frames(_ path: String) throws {
    let descriptor = open(path, O_RDONLY)
    defer { close(descriptor) }
    let stream = try FrameStream(ByteStream(descriptor: descriptor, name: "frames"), name: "frames")
    while let frame = try stream.next() {
      if case .success(let image) = frame.image {
        #expect(image.bytes.count == image.width * image.height * 3)
      }
    }
  }

  /// A bitmap of 24 bits, 3 by 2 pixels.
  private static let bitmap: [UInt8] = {
    func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] { StoredZip.little(value) }
    var bytes = Array("BM".utf8) + little(UInt32(54 + 24)) + little(UInt32(0)) + little(UInt32(54))
    bytes += little(UInt32(40)) + little(Int32(3)) + little(Int32(2)) + little(UInt16(1))
    bytes += little(UInt16(24)) + little(UInt32(0)) + little(UInt32(24))
    bytes += [UInt8](repeating: 0, count: 16)
    return bytes + (0..<24).map { UInt8(10 * $0) }
  }()

  /// The chunks of a PNG with their checksums right.
  @Sendable private static func checksummed(_ file: [UInt8]) -> [UInt8] {
    var bytes = file
    var place = 8
    while place + 12 <= bytes.count {
      let length = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
      guard length <= bytes.count - place - 12 else { break }
      let checksum = bytes[place + 4..<place + 8 + length].withUnsafeBytes { Checksum.crc32($0) }
      for byte in 0..<4 {
        bytes[place + 8 + length + byte] = UInt8(
          truncatingIfNeeded: checksum >> UInt32(24 - 8 * byte))
      }
      place += 12 + length
    }
    return bytes
  }
}
