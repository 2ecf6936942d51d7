import Formats
import Foundation
import Geometry
import Masks
import Testing

@Suite struct MaskCropTests {
  private static func mask(_ width: Int, _ height: Int, seed: UInt64) throws -> RunLengthMask {
    var random = CounterRandom(seed: seed)
    let pixels = (0..<width * height).map { _ in UInt8(random.next() >> 63) }
    return try RunLengthMask(width: width, height: height, bitmap: pixels)
  }

  /// A crop's pixels in the whole picture.
  private static func picture(_ crop: MaskCrop, width: Int, height: Int) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: width * height)
    for y in 0..<crop.bounds.height {
      for x in 0..<crop.bounds.width {
        result[(crop.bounds.y1 + y) * width + crop.bounds.x1 + x] =
          crop.pixels[y * crop.bounds.width + x]
      }
    }
    return result
  }

  @Test(arguments: [(12, 9), (7, 5), (20, 31), (12, 4)], [false, true])
  func resizingTakesTheNearestPixel(size: (Int, Int), isFlipped: Bool) throws {
    let mask = try Self.mask(12, 9, seed: 3)
    let source = mask.bitmap()
    let (width, height) = size
    let crop = MaskCrop(
      mask,
      in: ImageView(
        originalWidth: 12, originalHeight: 9, width: width, height: height, isFlipped: isFlipped))
    var wanted = [UInt8](repeating: 0, count: width * height)
    for y in 0..<height {
      for x in 0..<width {
        let place = y * width + (isFlipped ? width - 1 - x : x)
        wanted[place] =
          source[
            min(Int(Double(y) * 9 / Double(height)), 8) * 12
              + min(Int(Double(x) * 12 / Double(width)), 11)]
      }
    }
    #expect(Self.picture(crop, width: width, height: height) == wanted)
  }

  @Test func anEmptyMaskGivesEmptyTargets() throws {
    let mask = try RunLengthMask(width: 6, height: 5, runs: [30])
    let crop = MaskCrop(mask, in: ImageView(width: 12, height: 10))
    #expect(crop.pixels.isEmpty)
    #expect(
      crop.target(Box(x1: 1, y1: 1, x2: 9, y2: 9), width: 32, height: 32, side: 4)
        == [Float](repeating: 0, count: 16))
  }

  /// Average of bilinear samples, written down as the specification of RoIAlign says it.
  private static func share(
    _ bitmap: [UInt8], width: Int, height: Int, box: [Double], side: Int, cell: (x: Int, y: Int)
  ) -> Double {
    func samples(_ low: Double, _ high: Double, _ cell: Int) -> [Double] {
      let bin = (high - low) / Double(side)
      let count = Int(bin.rounded(.up))
      return (0..<count).map {
        low - 0.5 + bin * Double(cell) + (Double($0) + 0.5) * bin / Double(count)
      }
    }
    let (xs, ys) = (samples(box[0], box[2], cell.x), samples(box[1], box[3], cell.y))
    var total = 0.0
    for y in ys where y >= -1 && y <= Double(height) {
      for x in xs where x >= -1 && x <= Double(width) {
        let (u, v) = (min(max(x, 0), Double(width - 1)), min(max(y, 0), Double(height - 1)))
        let (column, row) = (Int(u), Int(v))
        let (right, below) = (min(column + 1, width - 1), min(row + 1, height - 1))
        let (a, b) = (u - Double(column), v - Double(row))
        func at(_ x: Int, _ y: Int) -> Double { Double(bitmap[y * width + x]) }
        total +=
          (1 - b) * ((1 - a) * at(column, row) + a * at(right, row)) + b
          * ((1 - a) * at(column, below) + a * at(right, below))
      }
    }
    return total / Double(max(1, xs.count * ys.count))
  }

  @Test(arguments: [
    [3.2, 1.7, 25.9, 18.4], [0, 0, 40, 24], [-6, -3, 12.5, 60], [30.1, 20.2, 30.9, 22.0],
  ])
  func targetsAreThoseOfRoIAlign(box: [Double]) throws {
    let (width, height, side) = (40, 24, 7)
    // The batch is padded beyond the picture.
    let (paddedWidth, paddedHeight) = (64, 32)
    let crop = MaskCrop(
      try Self.mask(width, height, seed: 11), in: ImageView(width: width, height: height))
    let inner = Self.picture(crop, width: paddedWidth, height: paddedHeight)
    let target = crop.target(
      [Box](corners: box.map { Float($0) })[0], width: paddedWidth, height: paddedHeight,
      side: side)
    let clipped = [
      max(0, box[0]), max(0, box[1]), min(Double(paddedWidth), box[2]),
      min(Double(paddedHeight), box[3]),
    ]
    var ones = 0
    for y in 0..<side {
      for x in 0..<side {
        let share = Self.share(
          inner, width: paddedWidth, height: paddedHeight, box: clipped, side: side, cell: (x, y))
        guard abs(share - 0.5) > 1e-5 else { continue }
        #expect(target[y * side + x] == (share >= 0.5 ? 1 : 0), "\(x) \(y) \(share)")
        ones += share >= 0.5 ? 1 : 0
      }
    }
    #expect(ones > 0)
  }
}
