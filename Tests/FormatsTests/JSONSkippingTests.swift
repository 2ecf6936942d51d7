import Foundation
import TestSupport
import Testing

@testable import Formats

/// Skipping takes a short cut; it must accept and refuse what reading does.
@Suite struct JSONSkippingTests {
  private func verdicts(_ text: String) -> (skipped: String, read: String) {
    func run(_ body: (inout JSONScanner) throws -> Void) -> String {
      do {
        var scanner = JSONScanner(text: text, source: "text")
        try body(&scanner)
        try scanner.end()
        return "good"
      } catch { return "\(error)" }
    }
    return (run { try $0.skipValue() }, run { _ = try $0.value() })
  }

  @Test(arguments: [
    "[]", "[ ]", "[[]]", "[1]", "[-0.5, 10 ,0]", "[[1,2],\n[3.25]]", "[0.0]", "[1e3]", "[\"a\", 1]",
    "[1, {\"a\": [2]}]", "[1,]", "[,1]", "[1 2]", "[01]", "[-]", "[1.]", "[.5]", "[--1]", "[1", "[",
    "[[1]", "[1]]", "[1e999]", "[NaN]", "[1,[2,],3]", "[1][", "\"plain\"", "\"tab\\t\"", "\"ä\"",
    "\"cut", "\"bad \u{1}\"", "[\"x\"]", "[1.5.5]", "[1-2]", "[+1]", "[123456789012345678901234]",
  ])
  func skippingAgreesWithReading(text: String) {
    let (skipped, read) = verdicts(text)
    #expect(skipped == read)
  }

  @Test func anyMixtureIsJudgedAlike() {
    let pieces = Array("[],.-0179 e")
    var random = CounterRandom(seed: 3)
    for _ in 0..<20_000 {
      var text = "["
      for _ in 0..<8 {
        text.append(pieces[random.integer(below: pieces.count)])
      }
      let (skipped, read) = verdicts(text + "]")
      #expect(skipped == read, "\(text)]")
    }
  }

  @Test func memoryOfWhatWasReadIsGivenBack() throws {
    let folder = try TemporaryFolder()
    let record = "{\"a\": [" + Array(repeating: "1.5", count: 5000).joined(separator: ",") + "]}"
    let count = 2000
    let text = "[" + Array(repeating: record, count: count).joined(separator: ",") + "]"
    let path = try folder.write(text, "long.json")
    var scanner = JSONScanner(try MappedFile(path: path))
    var records = 0
    try scanner.beginArray()
    while try scanner.nextElement() {
      let range = try scanner.skippedRange()
      #expect(range.count == record.utf8.count)
      records += 1
      scanner.releaseBehind()
    }
    try scanner.end()
    #expect(records == count && scanner.position == text.utf8.count)
    // A value in the middle is read from its place, released or not.
    var middle = JSONScanner(try MappedFile(path: path), at: 1)
    #expect(try middle.value()["a"]?.array?.count == 5000)
  }
}
