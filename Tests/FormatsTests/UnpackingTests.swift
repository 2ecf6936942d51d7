import Foundation
import TestSupport
import Testing

@testable import Formats

/// Small inputs that would take much memory.
struct UnpackingTests {
  @Test func zerosUnpack() throws {
    let packed = PackedZeros.deflated(copies: 10)
    let content = [UInt8](repeating: 0, count: 2581)
    let scratch = try Scratch()
    let path = try scratch.write(StoredZip.archive([("zeros", content, 8, packed)]))
    let archive = try ZipArchive(path: path)
    let entry = try #require(archive.entry(named: "zeros"))
    #expect(try archive.read(entry) { Array($0) } == content)
  }

  @Test func aGzipMemberHasALimitFromItsSize() throws {
    // 26 KB for 4.2 MB: over 64 times, and over what anything may come to.
    let packed = PackedZeros.deflated(copies: 16_300)
    let scratch = try Scratch()
    let path = try scratch.write([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3] + packed)
    let reason = try message { try Gzip.decompress(path: path) }
    #expect(reason.contains("unpacks to more than 4194304 bytes") && reason.contains("64 times"))
  }

  @Test func anEntryHasALimitFromItsSize() throws {
    let scratch = try Scratch()
    let packed = PackedZeros.deflated(copies: 100)
    var bytes = StoredZip.archive([("a/data.pkl", [0], 8, packed)])
    // The size in the directory: 24 bytes behind its mark.
    let directory = try #require(bytes.firstRange(of: [0x50, 0x4B, 1, 2])).lowerBound
    bytes.replaceSubrange(directory + 24..<directory + 28, with: StoredZip.little(UInt32(50 << 20)))
    let archive = try ZipArchive(path: try scratch.write(bytes))
    let reason = try message { try archive.read(archive.entries[0]) { $0.count } }
    #expect(reason.contains("\(packed.count) bytes unpack to 52428800"))
    #expect(reason.contains("without compression"))
  }

  @Test func aTreeIsOfASmallFile() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/large.json"
    #expect(FileManager.default.createFile(atPath: path, contents: nil))
    #expect(truncate(path, 1 << 30) == 0)
    #expect(try message { try JSONValue(contentsOf: path) }.contains("is it the right one?"))
  }

  /// What was put into a budget never comes to more than its limit, whoever asks.
  @Test func aBudgetHolds() {
    let budget = MemoryBudget(limit: 100)
    let lock = NSLock()
    nonisolated(unsafe) var (used, most, alone) = (0, 0, 0)
    DispatchQueue.concurrentPerform(iterations: 64) { index in
      let bytes = [10, 40, 60, 250][index % 4]
      budget.hold(bytes) {
        lock.withLock {
          if bytes > 100, used == 0 { alone += 1 }
          used += bytes
          if used > 100, used != 250 { most = max(most, used) }
        }
        usleep(500)
        lock.withLock { used -= bytes }
      }
    }
    #expect(most == 0 && used == 0 && alone == 16)
    // An error gives back what was held.
    struct Failure: Error {}
    #expect(throws: Failure.self) { try budget.hold(100) { throw Failure() } }
    #expect(budget.hold(100) { 5 } == 5)
  }

  /// JSON that is printed cannot steer a terminal and reads back equal.
  @Test func hiddenCharactersAreEscaped() throws {
    let text = "a\u{1B}[2J\u{9B}\u{202E}\u{2028}\u{E0041}\u{7F}b"
    let written = JSONValue.string(text).text()
    #expect(written == #""a\u001b[2J\u009b\u202e\u2028\udb40\udc41\u007fb""#)
    #expect(try JSONValue(parsing: written, source: "x") == .string(text))
  }
}
