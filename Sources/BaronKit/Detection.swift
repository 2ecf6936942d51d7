internal import Masks
internal import Training

/// An object that was found on a picture.
public struct Detection: Sendable, Equatable {
  /// Its name out of the vocabulary.
  public let name: String
  let found: ObjectDetector.Found

  init(name: String, _ found: ObjectDetector.Found) {
    self.name = name
    self.found = found
  }

  /// How sure the detector is, in 0...1.
  public var score: Float { found.score }

  /// Where it is, in pixels of the picture.
  public var box: Box {
    let box = found.box
    return Box(x1: box.x1, y1: box.y1, x2: box.x2, y2: box.y2)
  }

  /// Its pixels; nil when the detector has no mask head.
  public var mask: Mask? { found.mask.map { Mask(mask: $0) } }

  /// A rectangle in continuous pixels.
  public struct Box: Sendable, Equatable {
    /// The left edge.
    public let x1: Float
    /// The upper edge.
    public let y1: Float
    /// The right edge.
    public let x2: Float
    /// The lower edge.
    public let y2: Float
  }

  /// The pixels of an object on its picture.
  public struct Mask: Sendable, Equatable {
    let mask: RunLengthMask

    /// The picture's width in pixels.
    public var width: Int { mask.width }
    /// The picture's height in pixels.
    public var height: Int { mask.height }
    /// The number of pixels.
    public var area: Int { mask.area }
    /// Lengths of runs of pixels outside and inside in turn, column by column, as COCO counts.
    public var runs: [Int] { mask.runs.map(Int.init) }
    /// One byte a pixel, row by row: 1 in the mask, 0 outside.
    public var bitmap: [UInt8] { mask.bitmap() }
    /// The outlines along the edges of pixels, `x1, y1, x2, y2, ...`; cut where there are holes.
    public var outlines: [[Int]] { mask.outlines() }
  }
}
