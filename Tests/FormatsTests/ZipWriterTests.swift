import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite("Zip writer")
struct ZipWriterTests {
  @Test func whatIsWrittenIsReadBackAlignedAndTheSameEachTime() throws {
    let scratch = try Scratch()
    let numbers = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    let parts: [ZipWriter.Part] = [
      .init("list.json", data: Data("{}".utf8)), .init("empty", data: Data()),
      .init("folder/numbers", file: try scratch.write(numbers, "numbers")),
      .init("größe", data: Data([1])),
    ]
    let paths = ["a.zip", "b.zip"].map { "\(scratch.folder)/\($0)" }
    for path in paths { try ZipWriter.write(parts, to: path) }
    let bytes = try Data(contentsOf: URL(filePath: paths[0]))
    #expect(try Data(contentsOf: URL(filePath: paths[1])) == bytes)
    let archive = try ZipArchive(path: paths[0])
    #expect(archive.entries.map(\.name) == ["list.json", "empty", "folder/numbers", "größe"])
    for (entry, content) in zip(archive.entries, [Array("{}".utf8), [], numbers, [1]]) {
      #expect(try archive.read(entry) { Array($0) } == content)
      #expect(entry.checksum == StoredZip.checksum(content))
      let start = try #require(bytes.firstRange(of: Data(entry.name.utf8))?.lowerBound)
      let padding = Int(bytes[start + entry.name.utf8.count + 2])
      #expect((start + entry.name.utf8.count + 4 + padding).isMultiple(of: 64))
    }
  }

  @Test func aPartThatIsGoneLeavesTheOldFile() throws {
    let scratch = try Scratch()
    let path = try scratch.write("old", "a.zip")
    #expect(throws: FormatError.self) {
      try ZipWriter.write([.init("x", file: "\(scratch.folder)/nowhere")], to: path)
    }
    #expect(try scratch.files == ["a.zip"])
    #expect(try RegularFile.text(path) == "old")
  }
}
