import Formats
import Geometry
import Masks
import TestSupport
import Testing

@Suite struct MaskPasteTests {
  /// A map by the formula of `Tests/Peers/paste_torch.py`: noise, noise so near the threshold that
  /// last bits decide, or a disc.
  private static func map(_ seed: Int, side: Int) -> [Float] {
    (0..<side * side).map { place in
      var value = (UInt32(place) &+ UInt32(seed * 7919)) &* 2_654_435_761
      value ^= value >> 15
      let noise = Float((value &* 2_246_822_519) >> 8) / Float(1 << 24)
      let (y, x) = (2 * (place / side) - side + 1, 2 * (place % side) - side + 1)
      switch seed % 3 {
      case 0: return noise
      case 1: return 0.5 + (noise - 0.5) / Float(1 << 14)
      default: return 1 - Float(x * x + y * y) / Float(side * side)
      }
    }
  }

  @Test func everyPixelIsPyTorchs() throws {
    let fixture = try Fixture(ofRepository: "paste_torch")
    let (width, height) = (try fixture.integer("width"), try fixture.integer("height"))
    let side = try fixture.integer("side")
    let boxes = [Box](corners: try fixture.floats("boxes"))
    let wanted = try fixture.integers("masks")
    #expect(boxes.count == 900 && wanted.count == 2 * boxes.count)
    var others: [Int] = []
    for (seed, box) in boxes.enumerated() {
      let mask = try RunLengthMask(
        width: width, height: height, pasting: Self.map(seed, side: side), side: side, into: box)
      let digest = mask.bitmap().withUnsafeBytes { Checksum.crc32($0) }
      if Int32(mask.area) != wanted[2 * seed]
        || Int32(bitPattern: digest) != wanted[2 * seed + 1]
      {
        others.append(seed)
      }
    }
    #expect(others.isEmpty, "masks with other pixels")
  }

  @Test(arguments: [
    Box(x1: .nan, y1: 0, x2: 4, y2: 4), Box(x1: 0, y1: 0, x2: .infinity, y2: 4),
    Box(x1: 9, y1: 9, x2: 2, y2: 2), Box(x1: -3e30, y1: -2e30, x2: -1e30, y2: -1e30),
    Box(x1: 1e30, y1: 1e30, x2: 2e30, y2: 2e30),
  ])
  func boxesThatShowNothingGiveEmptyMasks(box: Box) throws {
    let mask = try RunLengthMask(width: 12, height: 9, pasting: [1, 1, 1, 1], side: 2, into: box)
    #expect(mask.area == 0 && mask.runs.reduce(0, +) == 108)
  }

  @Test(arguments: [
    [3.2, 1.7, 25.9, 18.4], [-6, -3, 12.5, 60], [30.1, 20.2, 30.9, 22.0], [39, 0, 90, 5],
    [50, 30, 60, 40],
  ])
  func pastingSamplesTheMap(box: [Double]) throws {
    let (width, height, side) = (40, 24, 5)
    let map = (0..<side * side).map { Float(($0 * 37) % 25) / 24 }
    let mask = try RunLengthMask(
      width: width, height: height, pasting: map, side: side,
      into: [Box](corners: box.map { Float($0) })[0])
    #expect(mask.runs.reduce(0, +) == UInt32(width * height))
    let found = mask.bitmap()
    for y in 0..<height {
      for x in 0..<width {
        let u = (Double(x) + 0.5 - box[0]) / (box[2] - box[0]) * Double(side) - 0.5
        let v = (Double(y) + 0.5 - box[1]) / (box[3] - box[1]) * Double(side) - 0.5
        var value = 0.0
        for row in 0..<side {
          for column in 0..<side {
            value +=
              max(0, 1 - abs(u - Double(column))) * max(0, 1 - abs(v - Double(row)))
              * Double(map[row * side + column])
          }
        }
        guard value.isFinite, abs(value - 0.5) > 1e-5 else { continue }
        #expect((found[y * width + x] == 1) == (value >= 0.5), "\(x) \(y) \(value)")
      }
    }
  }

  @Test func hugePicturesAreRefused() {
    #expect(throws: MaskError.size(width: 1 << 20, height: 4)) {
      try RunLengthMask(
        width: 1 << 20, height: 4, pasting: [1], side: 1, into: Box(x1: 0, y1: 0, x2: 1, y2: 1))
    }
  }
}
