import Formats

/// Why run lengths or a polygon are no mask; the description says what is wrong and what to do.
package enum MaskError: Error, Equatable, CustomStringConvertible {
  /// A width or height that is not positive or too large.
  case size(width: Int, height: Int)
  /// The runs do not cover the picture exactly.
  case runTotal(found: Int, width: Int, height: Int)
  /// A run that is negative or larger than the picture.
  case run(index: Int, value: Int)
  /// A compressed text with a character outside of the format, or cut short.
  case text(offset: Int)
  /// A polygon's vertex that is no number or far outside of any picture.
  case vertex(index: Int, value: Double)
  /// A polygon with fewer than three corners or half a corner.
  case polygon(index: Int, count: Int)
  /// A polygon whose outline is longer than that of any object.
  case outline(length: Double)
  /// A mask of another size than its image; both are width, height.
  case sizeOfImage(mask: [Int], image: [Int])
  /// Two masks of different sizes.
  case sizesDiffer(first: [Int], second: [Int])

  /// What is wrong and what to do.
  package var description: String {
    switch self {
    case .size(let width, let height):
      "the mask size \(width)x\(height) is not between 1 and "
        + "\(RunLengthMask.longestSide, "pixel") a side; \"size\" is [height, width]"
    case .runTotal(let found, let width, let height):
      "the run lengths add up to \(found, "pixel"), but a mask of \(width)x\(height) has "
        + "\(width * height); \"size\" is [height, width], check that it belongs to these counts"
    case .run(let index, let value):
      "run length \(index) is \(value); run lengths are whole numbers from 0 to the number of pixels"
    case .text(let offset):
      "the compressed run lengths are broken at character \(offset); copy the file again"
    case .vertex(let index, let value):
      "coordinate \(index) of a polygon is \(value), far outside of any picture; a polygon is "
        + "[x1, y1, x2, y2, ...] in pixels"
    case .polygon(let index, let count):
      "polygon \(index) has \(count, "number"); a polygon is [x1, y1, x2, y2, ...] in pixels with "
        + "at least three corners"
    case .outline(let length):
      "the outline of a polygon is \(length) pixels long, longer than any object's; a polygon is "
        + "[x1, y1, x2, y2, ...] in pixels"
    case .sizeOfImage(let mask, let image):
      "the mask has \(mask[0])x\(mask[1]) pixels, its image \(image[0])x\(image[1]); \"size\" is "
        + "[height, width] of the image as the annotations give it"
    case .sizesDiffer(let first, let second):
      "masks of \(first[0])x\(first[1]) and \(second[0])x\(second[1]) pixels cannot be combined"
    }
  }
}
