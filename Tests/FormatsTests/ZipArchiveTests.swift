import Formats
import Foundation
import TestSupport
import Testing

@Suite("Zip archives")
struct ZipArchiveTests {
  private let sound = StoredZip.archive([
    ("a/one.txt", Array("first".utf8)), ("empty", []), ("ü", [1, 2, 3]),
  ])

  private func open(_ bytes: [UInt8]) throws -> ZipArchive {
    let scratch = try Scratch()
    // The mapping outlives the file's name.
    return try ZipArchive(path: scratch.write(bytes, "x.zip"))
  }

  private func read(_ archive: ZipArchive, _ name: String) throws -> [UInt8] {
    try archive.read(try #require(archive.entry(named: name))) { Array($0) }
  }

  @Test func storedEntriesAreRead() throws {
    let archive = try open(sound)
    #expect(archive.entries.map(\.name) == ["a/one.txt", "empty", "ü"])
    #expect(archive.entries.map(\.size) == [5, 0, 3])
    #expect(try read(archive, "a/one.txt") == Array("first".utf8))
    #expect(try read(archive, "empty") == [])
    #expect(try read(archive, "ü") == [1, 2, 3])
    #expect(archive.entry(named: "A/one.txt") == nil)
  }

  @Test func aCommentMayFollow() throws {
    var bytes = sound
    bytes[bytes.count - 2] = 4
    #expect(try open(bytes + Array("note".utf8)).entries.count == 3)
  }

  @Test func deflatedEntriesAreRead() throws {
    let archive = try open(
      StoredZip.archive([("d", Deflated.content, 8, Deflated.raw), ("e", [], 8, [3, 0])]))
    #expect(try read(archive, "d") == Deflated.content)
    #expect(try read(archive, "e") == [])
  }

  @Test func wide64BitFieldsAreRead() throws {
    let content = Array("wide".utf8)
    let plain = StoredZip.archive([("w", content)])
    let directory = try #require(plain.firstRange(of: StoredZip.little(UInt32(0x0201_4B50))))
    let start = directory.lowerBound
    var entry = Array(plain[start..<(start + 47)])
    for place in 20..<28 { entry[place] = 0xFF }
    for place in 42..<46 { entry[place] = 0xFF }
    entry[30] = 28
    entry += StoredZip.little(UInt16(1)) + StoredZip.little(UInt16(24))
    entry += StoredZip.little(UInt64(4)) + StoredZip.little(UInt64(4)) + StoredZip.little(UInt64(0))
    var record = StoredZip.little(UInt32(0x0606_4B50)) + StoredZip.little(UInt64(44))
    record += [45, 0, 45, 0] + [UInt8](repeating: 0, count: 8)
    record += StoredZip.little(UInt64(1)) + StoredZip.little(UInt64(1))
    record += StoredZip.little(UInt64(entry.count)) + StoredZip.little(UInt64(start))
    let locator =
      StoredZip.little(UInt32(0x0706_4B50)) + StoredZip.little(UInt32(0))
      + StoredZip.little(UInt64(start + entry.count)) + StoredZip.little(UInt32(1))
    let end =
      StoredZip.little(UInt32(0x0605_4B50)) + [0, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 12)
      + [0, 0]
    let archive = try open(Array(plain[..<start]) + entry + record + locator + end)
    #expect(archive.entries.map(\.size) == [4])
    #expect(try read(archive, "w") == content)
    var damaged = Array(plain[..<start]) + entry + record + locator + end
    damaged[start + entry.count] = 0
    #expect(try message { try open(damaged) }.contains("zip64 end record is damaged"))
  }

  @Test func everyTruncationIsRefused() throws {
    for count in 0..<sound.count {
      #expect(throws: FormatError.self) { try open(Array(sound[..<count])) }
    }
    #expect(try message { try open(Array(sound[..<60])) }.contains("cut short"))
    #expect(try message { try open(Array("no archive".utf8)) }.contains("not a zip archive"))
  }

  @Test func damageIsRefused() throws {
    #expect(
      try message { try open(StoredZip.archive([("a", []), ("a", [])])) }
        .contains("entry \"a\": stands twice"))
    func changed(_ place: Int, _ byte: UInt8) throws -> ZipArchive {
      var bytes = sound
      bytes[place < 0 ? bytes.count + place : place] = byte
      return try open(bytes)
    }
    // In the end record: number of entries, size and offset of the directory.
    #expect(try message { try changed(-12, 200) }.contains("cannot hold 200 entries"))
    #expect(try message { try changed(-8, 255) }.contains("past the end"))
    #expect(try message { try changed(-4, 255) }.contains("past the end"))
    #expect(try message { try changed(-6, 1) }.contains("entry 0 of the zip directory is damaged"))
    // In the first entry: signature, flags, content, length of the extra field.
    let name = "a/one.txt"
    #expect(try message { try read(changed(0, 0), name) }.contains("no local header"))
    #expect(try message { try read(changed(6, 1), name) }.contains("encrypted"))
    #expect(try message { try read(changed(39, 0), name) }.contains("checksum differs"))
    #expect(try message { try read(changed(29, 255), name) }.contains("past the end"))
  }

  @Test func foreignPackingIsRefused() throws {
    let method = try open(StoredZip.archive([("x", [1], 12, [1])]))
    #expect(try message { try read(method, "x") }.contains("compression method 12"))
    let sizes = try open(StoredZip.archive([("x", [1, 2], 0, [1])]))
    #expect(try message { try read(sizes, "x") }.contains("sizes 1 and 2"))
    let short = try open(StoredZip.archive([("x", Deflated.content + [0], 8, Deflated.raw)]))
    #expect(try message { try read(short, "x") }.contains("unpacks to 1200 bytes"))
    let long = try open(StoredZip.archive([("x", [1], 8, Deflated.raw)]))
    #expect(try message { try read(long, "x") }.contains("more than 1 byte,"))
    let cut = try open(
      StoredZip.archive([("x", Deflated.content, 8, Array(Deflated.raw.dropLast(3)))]))
    #expect(try message { try read(cut, "x") }.contains("cut short"))
  }
}
