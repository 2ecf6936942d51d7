import Formats

/// The value of "segmentation" in a COCO or LVIS file (spec evaluation 5.4).
package enum SegmentationRecord: Sendable, Equatable {
  /// The vertices of each part, `x1, y1, x2, y2, ...` in pixels.
  case polygons([[Double]])
  /// A mask from `{"size": [height, width], "counts": ...}`, whose counts are numbers or a text.
  case runs(RunLengthMask)

  /// Reads the value that stands next.
  ///
  /// - Parameter scanner: Stands at the value.
  /// - Throws: `FormatError` for JSON of another layout, ``MaskError`` for run lengths that are no
  ///   mask.
  package init(reading scanner: inout JSONScanner) throws {
    switch try scanner.peek() {
    case .array: self = .polygons(try Self.polygons(&scanner))
    default: self = .runs(try Self.runs(&scanner))
    }
  }

  /// The mask in the frame of its image.
  ///
  /// - Parameters:
  ///   - width: The image's width in pixels.
  ///   - height: The image's height in pixels.
  /// - Returns: The mask; polygons are rasterised and united.
  /// - Throws: ``MaskError`` for a polygon that is none, a vertex far outside, or run lengths of
  ///   another size.
  package func mask(width: Int, height: Int) throws(MaskError) -> RunLengthMask {
    switch self {
    case .polygons(let polygons):
      for (index, polygon) in polygons.enumerated()
      where polygon.count < 6 || !polygon.count.isMultiple(of: 2) {
        throw MaskError.polygon(index: index, count: polygon.count)
      }
      return try RunLengthMask(width: width, height: height, polygons: polygons)
    case .runs(let mask):
      guard mask.width == width, mask.height == height else {
        throw MaskError.sizeOfImage(mask: [mask.width, mask.height], image: [width, height])
      }
      return mask
    }
  }

  private static func polygons(_ scanner: inout JSONScanner) throws -> [[Double]] {
    var polygons: [[Double]] = []
    try scanner.beginArray()
    while try scanner.nextElement() {
      var polygon: [Double] = []
      try scanner.beginArray()
      while try scanner.nextElement() { polygon.append(try scanner.number()) }
      polygons.append(polygon)
    }
    return polygons
  }

  private static func runs(_ scanner: inout JSONScanner) throws -> RunLengthMask {
    var size: [Int] = []
    var runs: [Int]?
    var text: String?
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "size": size = try integers(&scanner)
      case "counts":
        if try scanner.peek() == .string {
          text = try scanner.string()
        } else {
          runs = try integers(&scanner)
        }
      default: try scanner.skipValue()
      }
    }
    guard size.count == 2 else {
      throw scanner.error("has no \"size\" of two numbers; run lengths need [height, width]")
    }
    if let text { return try RunLengthMask(width: size[1], height: size[0], text: text) }
    guard let runs else {
      throw scanner.error("has no \"counts\"; run lengths are a list of numbers or a text")
    }
    return try RunLengthMask(width: size[1], height: size[0], runs: runs)
  }

  private static func integers(_ scanner: inout JSONScanner) throws -> [Int] {
    var values: [Int] = []
    try scanner.beginArray()
    while try scanner.nextElement() { values.append(try scanner.integer()) }
    return values
  }
}
