import Formats
import Geometry

/// To what size pictures are brought, and which anchors go with it.
struct PictureSizes: Equatable {
  /// The published size of a picture's short side, which no data needs more than.
  private static let largestShort = 800
  private static let largestLong = 1333
  /// Smaller objects than this, in pixels, leave no trace on the coarser maps.
  private static let leastObject = 16.0

  let testShortSide: Int
  let shortSides: [Int]
  let longSide: Int
  /// Why it is this size.
  let reason: String
  /// Side of the anchors of each level.
  let anchors: [Int]
  let anchorReason: String
  /// Height over width of the anchors; nil keeps the usual 0.5, 1, 2.
  let ratios: [Double]?

  /// Chooses for a data set.
  init(_ data: DataStatistics) {
    var short = min(Self.largestShort, data.shortSide)
    var reason = "pixels, the size of most pictures"
    if data.shortSide > Self.largestShort {
      reason = "pixels: the published bound, less than the \(data.shortSide) of most pictures"
    }
    // Small objects gain from enlarging, up to twice and to the published size.
    let low = data.boxSides.low * Double(short)
    if low < Self.leastObject, low > 0, short < Self.largestShort {
      let factor = min(2, Self.leastObject / low, Double(Self.largestShort) / Double(short))
      short = Int(Double(short) * factor)
      reason =
        "pixels: enlarged from \(data.shortSide), as a tenth of the objects are smaller than "
        + "\(Int(low.rounded(.up)), "pixel") there"
    }
    // Whole multiples of 32 waste no padding; a small picture stays as it is.
    if short >= 256 { short = (short + 16) / 32 * 32 }
    let side = max(32, short)
    testShortSide = side
    self.reason = reason
    longSide = max(
      side, min(Self.largestLong, Int(Double(side) * min(2, data.widestRatio))))
    shortSides =
      side >= 256
      ? (0...4).reversed().map { side - $0 * (side / 5 / 4) } : [side]
    let sides = [data.boxSides.least, data.boxSides.low, data.boxSides.high]
      .map { $0 * Double(side) }
    // A level's anchor is this many of its strides; 8 are published.
    let scale = max(2, min(8, Int(sides[1] / 4)))
    anchors = [4, 8, 16, 32, 64].map { $0 * scale }
    anchorReason =
      "pixels, \(scale) strides each: objects are \(Int(sides[0])) to \(Int(sides[2]), "pixel") "
      + "large after resizing"
    let (lowRatio, highRatio) = data.boxRatios
    var ratios = [0.5, 1, 2]
    if lowRatio > 0, lowRatio < 0.35 { ratios.insert(0.25, at: 0) }
    if highRatio > 2.9 { ratios.append(4) }
    self.ratios = ratios.count > 3 ? ratios : nil
  }
}
