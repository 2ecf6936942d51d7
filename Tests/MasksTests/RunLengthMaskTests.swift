import Formats
import Masks
import Testing

@Suite struct RunLengthMaskTests {
  /// The example of the specification: rows 1 and 2, columns 1 to 3 of 4 x 5 pixels.
  private static let block = [
    0, 0, 0, 0, 0,
    0, 1, 1, 1, 0,
    0, 1, 1, 1, 0,
    0, 0, 0, 0, 0,
  ].map { UInt8($0) }

  @Test func runsGoDownTheColumns() throws {
    let mask = try RunLengthMask(width: 5, height: 4, bitmap: Self.block)
    #expect(mask.runs == [5, 2, 2, 2, 2, 2, 5])
    #expect(mask.text == "5220003")
    #expect(mask.area == 6)
    #expect(mask.bitmap() == Self.block)
    #expect(try RunLengthMask(width: 5, height: 4, text: "5220003") == mask)
  }

  /// A few corners far apart would take gigabytes: 5 points of 16 bytes for each pixel of outline.
  @Test func anOutlineHasALimit() throws {
    var zigzag: [Double] = []
    for corner in 0..<1000 { zigzag += [corner % 2 == 0 ? 0 : 9e5, Double(corner)] }
    let error = #expect(throws: MaskError.self) {
      try RunLengthMask(width: 100, height: 100, polygons: [zigzag])
    }
    #expect("\(try #require(error))".contains("pixels long, longer than any object's"))
    // A ragged object in the largest picture is none of that kind.
    var ragged: [Double] = [0, 1000]
    for corner in 0..<2000 { ragged += [16 * Double(corner), corner % 2 == 0 ? 0 : 400] }
    #expect(throws: Never.self) {
      try RunLengthMask(width: 1 << 15, height: 1 << 15, polygons: [ragged])
    }
  }

  @Test func longRunsAndNegativeDifferencesSurvive() throws {
    let runs = [0, 100, 5, 300, 70]
    let mask = try RunLengthMask(width: 25, height: 19, runs: runs)
    #expect(mask.text == "0T35X6Q2")
    #expect(try RunLengthMask(width: 25, height: 19, text: mask.text) == mask)
  }

  @Test func anyBitmapComesBack() throws {
    var random = CounterRandom(seed: 9)
    for (width, height) in [(1, 1), (1, 7), (7, 1), (13, 11), (64, 33)] {
      let pixels = (0..<width * height).map { _ in UInt8(random.integer(below: 4) == 0 ? 1 : 0) }
      let mask = try RunLengthMask(width: width, height: height, bitmap: pixels)
      #expect(mask.bitmap() == pixels)
      #expect(mask.area == pixels.count { $0 == 1 })
      #expect(try RunLengthMask(width: width, height: height, text: mask.text) == mask)
    }
  }

  @Test func unionAndIntersectionCountPixels() throws {
    let first = try RunLengthMask(width: 5, height: 4, bitmap: Self.block)
    let pixels = (0..<20).map { UInt8($0 % 5 >= 3 ? 1 : 0) }
    let second = try RunLengthMask(width: 5, height: 4, bitmap: pixels)
    #expect(try first.intersectionArea(with: second) == 2)
    let both = try first.union(second)
    #expect(both.area == 12)
    #expect(both.bitmap() == zip(Self.block, pixels).map { $0 | $1 })
    let other = try RunLengthMask(width: 4, height: 5, runs: [20])
    #expect(throws: MaskError.sizesDiffer(first: [5, 4], second: [4, 5])) {
      try first.union(other)
    }
  }

  @Test func whatOverrunsTheSizeIsRefused() throws {
    let line = "the run lengths add up to 21 pixels, but a mask of 5x4 has 20"
    func message(_ body: () throws -> RunLengthMask) throws -> String {
      let error = #expect(throws: MaskError.self) { try body() }
      return try #require(error).description
    }
    #expect(
      try message { try RunLengthMask(width: 5, height: 4, runs: [5, 16]) }.hasPrefix(line))
    #expect(
      try message { try RunLengthMask(width: 5, height: 4, runs: [5, 21]) }.contains("is 21"))
    #expect(
      try message { try RunLengthMask(width: 5, height: 4, runs: [5, -1]) }.contains("is -1"))
    #expect(
      try message { try RunLengthMask(width: 5, height: 4, text: "5220004") }.hasPrefix(line))
    #expect(
      try message { try RunLengthMask(width: 5, height: 4, text: "52200") }.contains("add up to 13")
    )
    #expect(
      try message { try RunLengthMask(width: 5, height: 4, text: "5o") }.contains("character"))
    #expect(
      try message { try RunLengthMask(width: 5, height: 4, text: "5 ") }.contains("character"))
    #expect(
      try message { try RunLengthMask(width: 5, height: 4, text: "oooooooo1") }
        .contains("character 7"))
    #expect(try message { try RunLengthMask(width: 0, height: 4, runs: [0]) }.contains("0x4"))
  }
}

/// Expected texts come from pycocotools 2.0.
@Suite struct PolygonMaskTests {
  @Test(
    arguments: [
      ([[1, 1, 8, 1, 8, 6, 1, 6]], ";5500000000000W1", 35),
      ([[0.2, 0.7, 11.4, 3.1, 5.5, 9.9]], ";282N101N2NO1O2N1N2O8", 45),
      ([[-3, -2, 30, 4, 5, 40]], "0T31UM00", 118),
      ([[2, 2, 2, 2, 7, 2, 7, 7]], "P1191O1O1_1", 10),
      ([[1, 1, 4, 1, 4, 4, 1, 4], [3, 3, 9, 3, 9, 8, 3, 8]], ";37004NN00000000k0", 38),
      ([[20, 20, 30, 20, 30, 30]], "h3", 0),
    ] as [([[Double]], String, Int)])
  func polygonsFollowTheReference(polygons: [[Double]], text: String, area: Int) throws {
    let mask = try RunLengthMask(width: 12, height: 10, polygons: polygons)
    #expect(mask.text == text)
    #expect(mask.area == area)
  }

  @Test func verticesFarOutsideAreRefused() throws {
    for value in [1e7, -1e9, .infinity, .nan] {
      let error = #expect(throws: MaskError.self) {
        try RunLengthMask(width: 9, height: 9, polygons: [[0, 0, 3, value, 3, 3]])
      }
      #expect(try #require(error).description.hasPrefix("coordinate 3 of a polygon is"))
    }
    #expect(try RunLengthMask(width: 9, height: 9, polygons: []).area == 0)
  }
}
