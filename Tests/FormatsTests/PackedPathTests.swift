import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite("Files inside an archive")
struct PackedPathTests {
  private func archive(in scratch: Scratch, padding: Int = 0) throws -> String {
    let path = "\(scratch.folder)/model.zip"
    try ZipWriter.write(
      [
        .init("first", data: Data(count: padding)),
        .init("clip/config.json", data: Data(#"{"a": 1}"#.utf8)),
      ], to: path)
    return path
  }

  /// A small archive is copied into memory, one of over 4 MiB is mapped.
  @Test(arguments: [0, 5 << 20])
  func readersTakeThemLikeFiles(padding: Int) throws {
    let scratch = try Scratch()
    let path = try archive(in: scratch, padding: padding) + "/clip/config.json"
    #expect(RegularFile.exists(path))
    #expect(try JSONValue(contentsOf: path)["a"]?.integer == 1)
    #expect(try RegularFile.text(path) == #"{"a": 1}"#)
    #expect(try SHA256.hexadecimal(ofFile: path).count == 64)
    let mark = try #require(FileMark(path: path))
    #expect(mark.size == 8 && mark.seconds > 0)
    #expect(throws: FormatError.self) { try RegularFile.contents(path, limit: 7) }
  }

  @Test func whatIsNotThereIsNamed() throws {
    let scratch = try Scratch()
    let path = try archive(in: scratch)
    for missing in ["\(path)/nothing", "\(path)/clip", "\(path)/clip/config.json/deeper"] {
      #expect(!RegularFile.exists(missing))
      #expect {
        _ = try MappedFile(path: missing)
      } throws: {
        "\($0)".hasPrefix("\(missing): no such file: \(path) has no entry")
      }
    }
    // What is no archive stays what it was.
    let picture = try scratch.write([0xFF, 0xD8, 0xFF, 0xE0], "a.jpg")
    #expect {
      _ = try MappedFile(path: "\(picture)/b")
    } throws: {
      "\($0)" == "\(picture)/b: Not a directory"
    }
    #expect(RegularFile.exists(scratch.folder) && !RegularFile.exists("\(scratch.folder)/none"))
  }

  @Test func aDamagedEntryIsRefused() throws {
    let scratch = try Scratch()
    let path = try archive(in: scratch)
    var bytes = try Data(contentsOf: URL(filePath: path))
    let place = try #require(bytes.firstRange(of: Data(#"{"a""#.utf8))).lowerBound
    bytes[place + 6] = UInt8(ascii: "2")
    try bytes.write(to: URL(filePath: path))
    #expect {
      _ = try MappedFile(path: "\(path)/clip/config.json")
    } throws: {
      "\($0)".contains("is damaged: its checksum differs")
    }
  }

  @Test func packedEntriesAreRefused() throws {
    let scratch = try Scratch()
    let path = try scratch.write(
      StoredZip.archive([(name: "a", content: [1, 2], method: 8, packed: [0, 0])]), "packed.zip")
    #expect {
      _ = try MappedFile(path: "\(path)/a")
    } throws: {
      "\($0)".contains("is packed; write the archive again without compression")
    }
  }
}
