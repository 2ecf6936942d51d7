import Formats
import Masks
import Testing

@Suite struct MaskOutlineTests {
  private func mask(_ rows: [String]) throws -> RunLengthMask {
    try RunLengthMask(
      width: rows[0].count, height: rows.count,
      bitmap: rows.flatMap { $0.map { $0 == "#" ? 1 : 0 } })
  }

  @Test func cornersRunClockwise() throws {
    let shape = try mask(["....", ".##.", ".#..", "...."])
    #expect(shape.outlines() == [[3, 1, 3, 2, 2, 2, 2, 3, 1, 3, 1, 1]])
    #expect(try mask(["...", "..."]).outlines().isEmpty)
    #expect(try mask(["##", "##"]).outlines() == [[2, 0, 2, 2, 0, 2, 0, 0]])
  }

  /// Parts that touch at a corner only, holes, and a hole that touches the outside at a corner.
  @Test func partsAreSeparate() throws {
    #expect(try mask(["#.", ".#"]).outlines().count == 2)
    #expect(try mask([".#", "#."]).outlines().count == 2)
    // A ring is cut above its hole.
    #expect(
      try mask(["###", "#.#", "###"]).outlines() == [
        [3, 0, 3, 1, 0, 1, 0, 0], [1, 1, 1, 2, 2, 2, 2, 1, 3, 1, 3, 3, 0, 3, 0, 1],
      ])
    #expect(try mask(["##.", "#.#", "###"]).outlines().count == 1)
    #expect(try mask(["#####", "#...#", "#.#.#", "#...#", "#####"]).outlines().count == 3)
  }

  /// Rasterised again by our own rule, no pixel is lost or won; noise has holes of every kind.
  @Test func rasterisedAgain() throws {
    var random = CounterRandom(seed: 3, 1)
    for _ in 0..<40 {
      let (width, height) = (5 + random.integer(below: 30), 5 + random.integer(below: 30))
      let bitmap = (0..<width * height).map { _ in UInt8(random.integer(below: 3) > 0 ? 1 : 0) }
      let mask = try RunLengthMask(width: width, height: height, bitmap: bitmap)
      #expect(Self.filled(mask.outlines(), width: width, height: height) == bitmap)
      #expect(mask.outlines().allSatisfy { $0.count >= 8 })
    }
  }

  /// Rectangles are what pycocotools rasterises to the very pixels.
  @Test func rasterisedByTheRuleOfCOCO() throws {
    let mask = try mask(["......", ".####.", ".####.", "......"])
    let polygons = mask.outlines().map { $0.map(Double.init) }
    #expect(try RunLengthMask(width: 6, height: 4, polygons: polygons) == mask)
  }

  /// Pixels whose centre has an odd number of vertical edges at its left.
  private static func filled(_ outlines: [[Int]], width: Int, height: Int) -> [UInt8] {
    var pixels = [UInt8](repeating: 0, count: width * height)
    for ring in outlines {
      for index in stride(from: 0, to: ring.count, by: 2) {
        let next = (index + 2) % ring.count
        guard ring[index] == ring[next] else { continue }
        for y in min(ring[index + 1], ring[next + 1])..<max(ring[index + 1], ring[next + 1]) {
          for x in ring[index]..<width { pixels[y * width + x] ^= 1 }
        }
      }
    }
    return pixels
  }
}
