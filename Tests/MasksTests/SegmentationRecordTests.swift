import Formats
import Masks
import Testing

@Suite struct SegmentationRecordTests {
  private func record(_ text: String) throws -> SegmentationRecord {
    var scanner = JSONScanner(text: text, source: "text")
    let record = try SegmentationRecord(reading: &scanner)
    try scanner.end()
    return record
  }

  @Test func allLayoutsGiveTheSameMask() throws {
    let mask = try RunLengthMask(width: 5, height: 4, runs: [5, 2, 2, 2, 2, 2, 5])
    for text in [
      "{\"counts\": \"5220003\", \"size\": [4, 5]}",
      "{\"size\": [4, 5], \"note\": {}, \"counts\": [5, 2, 2, 2, 2, 2, 5]}",
      "[[1, 1, 4, 1, 4, 3, 1, 3]]",
      "[[1, 1, 3, 1, 3, 3, 1, 3], [2, 1, 4, 1, 4, 3, 2, 3]]",
    ] {
      #expect(try record(text).mask(width: 5, height: 4) == mask, "\(text)")
    }
  }

  @Test func whatIsNoMaskIsRefused() throws {
    let short = try record("[[1, 1, 3, 1, 3, 3], [1, 1, 3, 1]]")
    #expect(throws: MaskError.polygon(index: 1, count: 4)) { try short.mask(width: 5, height: 4) }
    let runs = try record("{\"size\": [4, 5], \"counts\": [20]}")
    #expect(throws: MaskError.sizeOfImage(mask: [5, 4], image: [4, 5])) {
      try runs.mask(width: 4, height: 5)
    }
    for text in [
      "{\"counts\": [20]}", "{\"size\": [4, 5]}", "{\"size\": [4], \"counts\": []}", "3",
    ] {
      #expect(throws: FormatError.self) { try record(text) }
    }
    #expect(throws: MaskError.self) { try record("{\"size\": [4, 5], \"counts\": [19]}") }
  }
}

@Suite struct MaskBoundsTests {
  @Test func boundsHoldEveryPixel() throws {
    var random = CounterRandom(seed: 5)
    for (width, height) in [(1, 1), (1, 9), (9, 1), (7, 5), (40, 30)] {
      for _ in 0..<40 {
        let share = random.uniform() * random.uniform()
        let pixels = (0..<width * height).map { _ in UInt8(random.uniform() < share ? 1 : 0) }
        let places = pixels.indices.filter { pixels[$0] != 0 }
        let columns = places.map { $0 % width }
        let rows = places.map { $0 / width }
        let bounds = try RunLengthMask(width: width, height: height, bitmap: pixels).bounds
        #expect(bounds.x1 == columns.min() ?? 0 && bounds.y1 == rows.min() ?? 0)
        #expect(bounds.width == (columns.max() ?? -1) - bounds.x1 + 1)
        #expect(bounds.height == (rows.max() ?? -1) - bounds.y1 + 1)
      }
    }
  }

  @Test func emptyBoundsOverlapNothing() throws {
    let empty = try RunLengthMask(width: 5, height: 4, runs: [20]).bounds
    let whole = try RunLengthMask(width: 5, height: 4, runs: [0, 20]).bounds
    let first = try RunLengthMask(width: 5, height: 4, runs: [0, 4, 16]).bounds
    let second = try RunLengthMask(width: 5, height: 4, runs: [4, 4, 12]).bounds
    #expect(empty.overlap(with: whole) == 0 && whole.overlap(with: empty) == 0)
    #expect(whole.overlap(with: first) == 4 && first.overlap(with: whole) == 4)
    #expect(first.overlap(with: second) == 0 && second.overlap(with: first) == 0)
  }
}
