import Formats
import Foundation
import TestSupport
import Testing

@Suite struct MappedTextTests {
  private static let text = "{\"name\": \"ä猫\"}"

  private static func units(_ isLittle: Bool) -> [UInt8] {
    text.utf16.flatMap { unit in
      isLittle ? [UInt8(unit & 0xFF), UInt8(unit >> 8)] : [UInt8(unit >> 8), UInt8(unit & 0xFF)]
    }
  }

  /// `{"name": "ä猫"}` packed by gzip.
  private static let packed = "H4sIAAAAAAACA6tWykvMTVWyUlA6vOR5z2qlWgDWGVRJEQAAAA=="

  @Test func textsComeOutInUTF8() throws {
    let scratch = try TemporaryFolder()
    let gzip = try #require(Data(base64Encoded: Self.packed))
    let quad = Self.text.unicodeScalars.flatMap { scalar in
      (0..<4).map { UInt8(scalar.value >> (8 * $0) & 0xFF) }
    }
    for bytes in [
      Array(Self.text.utf8), [0xEF, 0xBB, 0xBF] + Array(Self.text.utf8),
      [0xFF, 0xFE] + Self.units(true), [0xFE, 0xFF] + Self.units(false),
      [0xFF, 0xFE, 0, 0] + quad, Self.units(true), Self.units(false), quad, [UInt8](gzip),
    ] {
      let path = try scratch.write(bytes)
      #expect(try JSONValue(contentsOf: path)["name"]?.string == "ä猫")
      #expect(try MappedFile.text(path).path == path)
    }
  }

  @Test func brokenTextsAreRefused() throws {
    let scratch = try TemporaryFolder()
    let gzip = [UInt8](try #require(Data(base64Encoded: Self.packed)))
    #expect(
      try message { try MappedFile.text(try scratch.write(Array(gzip.dropLast(9)))) }.contains(
        "cut short"))
    // Half a character at the end, and a lone surrogate.
    for tail in [[0x41], [0x00, 0xD8, 0x41, 0x00]] as [[UInt8]] {
      #expect(
        try message { try MappedFile.text(try scratch.write([0xFF, 0xFE] + tail)) }.contains(
          "is no UTF-16LE text here; save the file as UTF-8"))
    }
  }
}
