import Foundation
import TestSupport
import Testing

@testable import Pictures

/// Small files with known pixels, those of WebP written by Pillow.
private enum Small {
  /// Two rows of three pixels.
  static let image = Image(
    width: 3, height: 2,
    bytes: [255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 200, 100, 50, 255, 255, 255])
  static let webp =
    "UklGRkIAAABXRUJQVlA4TDYAAAAvAkAAAC9AkG2zQdzr/jLTIJO2yV//dmZtZNI2rYf986+y8x9o5JGs+wYEApSx4oFtI"
    + "vof4wU="
  /// The same with EXIF orientation 6.
  static let turned =
    "UklGRnYAAABXRUJQVlA4WAoAAAAIAAAAAgAAAQAAVlA4TDYAAAAvAkAAAC9AkG2zQdzr/jLTIJO2yV//dmZtZNI2rYf98"
    + "6+y8x9o5JGs+wYEApSx4oFtIvof4wVFWElGGgAAAE1NACoAAAAIAAEBEgADAAAAAQAGAAAAAAAA"
  static let animation =
    "UklGRtgAAABXRUJQVlA4WAoAAAACAAAAAgAAAQAAQU5JTQYAAAAAAAAAAABBTk1GUgAAAAAAAAAAAAIAAAEAAAoAAAJW"
    + "UDhMOQAAAC8CQAAAL0CQbTOJeR3wrtMgk7bJXUNzP21k0jbUQ+/5VzNLnf9AA5td3yVQyDYCHLrX4Eguov8xvABBTk1G"
    + "UgAAAAAAAAAAAAIAAAEAAAoAAABWUDhMOQAAAC8CQAAAL0CQbTOJeR3wrtMgk7bJXUNzP21k0jbUQ+/5VzNLnf9AA5td"
    + "3yVQyDYCHLrX4Eguov/xDgA="

  static func bytes(_ text: String) throws -> [UInt8] {
    [UInt8](try #require(Data(base64Encoded: text)))
  }
}

private func decode(_ bytes: [UInt8]) throws -> Image {
  try bytes.withUnsafeBytes { try ImageDecoder.decode($0, name: "small") }
}

private func reason(_ bytes: [UInt8]) -> String {
  do {
    _ = try decode(bytes)
    return ""
  } catch {
    return "\(error)"
  }
}

@Suite struct WebPTests {
  @Test func pixelsAreExact() throws {
    #expect(try decode(Small.bytes(Small.webp)) == Small.image)
  }

  @Test func orientationIsApplied() throws {
    let upright = Orientation.turnClockwise.apply(to: Small.image)
    #expect(try decode(Small.bytes(Small.turned)) == upright)
    let folder = try TemporaryFolder()
    let path = try folder.write(try Small.bytes(Small.turned), "turned.webp")
    let header = try PictureHeader(path: path)
    #expect(header.width == 2 && header.height == 3 && header.orientation == .turnClockwise)
  }

  @Test func whatCannotBeDecodedIsTold() throws {
    #expect(reason(try Small.bytes(Small.animation)).contains("animation"))
    let whole = try Small.bytes(Small.webp)
    for length in 12..<whole.count - 1 {
      let text = reason(Array(whole.prefix(length)))
      #expect(text.hasPrefix("small: ") && !text.contains("\n"), "\(length): \(text)")
    }
    for place in 12..<whole.count {
      var damaged = whole
      damaged[place] ^= 0xFF
      // Whatever comes out, the program is still there.
      _ = try? decode(damaged)
    }
  }
}

@Suite struct BMPTests {
  /// A file of the usual header.
  private func bmp(
    width: Int32, height: Int32, depth: Int, compression: Int = 0, masks: [UInt32] = [],
    palette: [[UInt8]] = [], data: [UInt8]
  ) -> [UInt8] {
    func number(_ value: Int, _ size: Int) -> [UInt8] {
      (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    var extra: [UInt8] = []
    for mask in masks { extra += number(Int(mask), 4) }
    for color in palette { extra += [color[2], color[1], color[0], 0] }
    let start = 54 + extra.count
    var bytes = Array("BM".utf8)
    for (value, size) in [
      (start + data.count, 4), (0, 4), (start, 4), (40, 4), (Int(width), 4), (Int(height), 4),
      (1, 2), (depth, 2), (compression, 4), (data.count, 4), (0, 8), (palette.count, 4), (0, 4),
    ] {
      bytes += number(value, size)
    }
    bytes += extra
    return bytes + data
  }

  /// The lower row first, each pixel blue, green, red, rows of whole four bytes.
  private let rows: [[UInt8]] = [
    [30, 20, 10, 50, 100, 200, 255, 255, 255, 0, 0, 0], [0, 0, 255, 0, 255, 0, 255, 0, 0, 0, 0, 0],
  ]

  @Test func trueColour() throws {
    #expect(
      try decode(bmp(width: 3, height: 2, depth: 24, data: rows[0] + rows[1])) == Small.image)
    // A negative height stands for the upper row first.
    #expect(
      try decode(bmp(width: 3, height: -2, depth: 24, data: rows[1] + rows[0])) == Small.image)
  }

  @Test func coloursOfATable() throws {
    let palette: [[UInt8]] = [[1, 2, 3], [40, 50, 60], [200, 210, 220]]
    func image(_ places: [Int]) -> Image {
      Image(width: places.count, height: 1, bytes: places.flatMap { palette[$0] })
    }
    #expect(
      try decode(
        bmp(
          width: 9, height: 1, depth: 1, palette: palette, data: [0b1010_0101, 0b1000_0000, 0, 0]))
        == image([1, 0, 1, 0, 0, 1, 0, 1, 1]))
    #expect(
      try decode(bmp(width: 3, height: 1, depth: 4, palette: palette, data: [0x21, 0x00, 0, 0]))
        == image([2, 1, 0]))
    #expect(
      try decode(bmp(width: 3, height: 1, depth: 8, palette: palette, data: [2, 0, 1, 0]))
        == image([2, 0, 1]))
    // A place behind the table is black.
    #expect(
      try decode(bmp(width: 1, height: 1, depth: 8, palette: palette, data: [9, 0, 0, 0])).bytes
        == [0, 0, 0])
  }

  @Test func masks() throws {
    #expect(
      try decode(bmp(width: 2, height: 1, depth: 16, data: [0x1F, 0x00, 0x00, 0x7C])).bytes
        == [0, 0, 255, 255, 0, 0])
    #expect(
      try decode(
        bmp(
          width: 2, height: 1, depth: 16, compression: 3, masks: [0xF800, 0x07E0, 0x001F],
          data: [0xE0, 0x07, 0x00, 0x80])
      ).bytes == [0, 255, 0, 131, 0, 0])
    #expect(
      try decode(
        bmp(
          width: 1, height: 1, depth: 32, compression: 3, masks: [0xFF, 0xFF00, 0xFF0000],
          data: [7, 8, 9, 255])
      ).bytes == [7, 8, 9])
  }

  /// Runs, single pixels, a jump, the end of a row and of the picture.
  @Test func runLengths() throws {
    let palette: [[UInt8]] = [[0, 0, 0], [9, 9, 9], [200, 0, 0]]
    let data: [UInt8] = [3, 1, 0, 3, 2, 1, 2, 0, 0, 0, 0, 2, 1, 0, 2, 2, 0, 1]
    let image = try decode(
      bmp(width: 6, height: 2, depth: 8, compression: 1, palette: palette, data: data))
    let lower = [1, 1, 1, 2, 1, 2], upper = [0, 2, 2, 0, 0, 0]
    #expect(image.bytes == (upper + lower).flatMap { palette[$0] })
    let narrow = try decode(
      bmp(
        width: 5, height: 1, depth: 4, compression: 2, palette: palette,
        data: [3, 0x12, 0, 2, 0, 0, 2, 0x20, 0, 1]))
    #expect(narrow.bytes == [1, 2, 1, 2, 0].flatMap { palette[$0] })
  }

  @Test func whatCannotBeDecodedIsTold() throws {
    let whole = bmp(width: 3, height: 2, depth: 24, data: rows[0] + rows[1])
    for length in 2..<whole.count {
      let text = reason(Array(whole.prefix(length)))
      #expect(text.contains("cut off") && !text.contains("\n"), "\(length): \(text)")
    }
    #expect(
      reason(bmp(width: 3, height: 2, depth: 24, compression: 4, data: [])).contains("supported"))
    #expect(reason(bmp(width: 0, height: 2, depth: 24, data: [])).contains("0x2"))
    #expect(
      reason(bmp(width: .max, height: .min, depth: 32, data: [])).contains("more than the limit"))
    for place in 2..<whole.count {
      for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
        var damaged = whole
        damaged[place] = value
        _ = try? decode(damaged)
      }
    }
  }
}
