import Formats
import Foundation
import TestSupport
import Testing

/// "abc" four hundred times, deflated by another program.
enum Deflated {
  static let content = [UInt8](String(repeating: "abc", count: 400).utf8)
  static let raw: [UInt8] = [
    0x4B, 0x4C, 0x4A, 0x4E, 0x1C, 0x45, 0xA3, 0x68, 0x14, 0x8D, 0xA2, 0xA1, 0x80, 0x00,
  ]
}

@Suite("Gzip")
struct GzipTests {
  private func member(_ content: [UInt8], _ packed: [UInt8]) -> [UInt8] {
    [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3] + packed + StoredZip.little(StoredZip.checksum(content))
      + StoredZip.little(UInt32(content.count))
  }

  private func unpack(_ bytes: [UInt8], limit: Int = 1 << 20) throws -> [UInt8] {
    try bytes.withUnsafeBytes { try Gzip.decompress($0, source: "x.gz", limit: limit) }
  }

  @Test func membersAreJoined() throws {
    let one = member(Deflated.content, Deflated.raw)
    #expect(try unpack(one) == Deflated.content)
    #expect(try unpack(one + one) == Deflated.content + Deflated.content)
    #expect(try unpack(one + [0, 0, 0]) == Deflated.content)
    #expect(try unpack(member([], [3, 0])) == [])
    let scratch = try Scratch()
    #expect(try Gzip.decompress(path: scratch.write(one)) == Deflated.content)
  }

  @Test func largeContentTakesManyPieces() throws {
    // A stored block of 65535 bytes, three times.
    let block = [UInt8](repeating: 7, count: 65_535)
    let stored: [UInt8] = [0xFF, 0xFF, 0, 0] + block
    let packed = [0] + stored + [0] + stored + [1] + stored
    #expect(try unpack(member(block + block + block, packed)) == block + block + block)
  }

  @Test func damageIsRefused() throws {
    let one = member(Deflated.content, Deflated.raw)
    #expect(try message { try unpack([]) } == "x.gz: is not a gzip file")
    #expect(try message { try unpack(Array("plain text".utf8)) }.contains("not a gzip"))
    #expect(try message { try unpack(one + [1]) }.contains("unexpected bytes"))
    #expect(try message { try unpack(one, limit: 1199) }.contains("more than 1199 bytes"))
    var wrong = one
    wrong[wrong.count - 6] ^= 1
    #expect(try message { try unpack(wrong) }.contains("damaged"))
    for count in 2..<one.count {
      #expect(throws: FormatError.self) { try unpack(Array(one[..<count])) }
    }
    #expect(try message { try Gzip.decompress(path: "/nonexistent/x") }.contains("no such file"))
  }
}
