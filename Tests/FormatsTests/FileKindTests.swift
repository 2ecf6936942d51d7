import TestSupport
import Testing

@testable import Formats

/// What a file is told to be by its first bytes.
@Suite struct FileKindTests {
  private static let videoHead: [UInt8] = [0, 0, 0, 0x18] + Array("ftypisom".utf8)

  @Test(
    arguments: [
      (Array("<!DOCTYPE html><html>404".utf8), FileKind.webPage),
      (Array("\u{FEFF}\n  <HTML lang='en'>".utf8), .webPage),
      (Array("version https://git-lfs.github.com/spec/v1\noid sha256:4".utf8), .largeFilePointer),
      ([0x50, 0x4B, 3, 4, 20, 0], .zip), ([0x1F, 0x8B, 8], .gzip),
      ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 0], .xz), (Array("BZh91AY".utf8), .bzip2),
      ([0x28, 0xB5, 0x2F, 0xFD, 4], .zstandard), ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], .sevenZip),
      (Array("%PDF-1.7".utf8), .pdf), (videoHead, .mp4),
      ([0, 0, 0, 0x18] + Array("ftypqt  ".utf8), .mp4),
      ([0, 0, 0, 0x18] + Array("ftypheic".utf8), .heif),
      ([0, 0, 0, 0x18] + Array("ftypavif".utf8), .heif),
      ([0x1A, 0x45, 0xDF, 0xA3], .matroska), (Array("RIFF\u{1}\u{1}\u{1}\u{1}AVI LIST".utf8), .avi),
      (Array("GIF89a".utf8), .gif), ([0x49, 0x49, 0x2A, 0], .tiff), ([0x4D, 0x4D, 0, 0x2A], .tiff),
    ] as [([UInt8], FileKind)])
  func beginningsTell(bytes: [UInt8], kind: FileKind) {
    #expect(bytes.withUnsafeBytes { FileKind($0) } == kind)
    // What is cut off within its mark is nothing, and never a fault of the reader.
    for length in 0..<2 {
      #expect(bytes.prefix(length).withUnsafeBytes { FileKind($0) } == nil)
    }
    #expect(kind.explanation.hasPrefix("is "))
  }

  @Test(arguments: ["{\"images\": []}", "[1]", "", "<annotation>", "version 5", "RIFF", "a,b\n1,2"])
  func othersAreNone(text: String) {
    #expect(Array(text.utf8).withUnsafeBytes { FileKind($0) } == nil)
  }

  @Test func addressesAreNoFiles() throws {
    let line = try message { try MappedFile(path: "https://example.org/a.json") }
    #expect(
      line
        == "https://example.org/a.json: no such file; addresses are not opened: download it and give "
        + "the file")
    #expect(try message { try MappedFile(path: "/no/a.json") } == "/no/a.json: no such file")
  }
}
