import Formats

/// How an image was resized, flipped and padded, and the way back; the only place that knows
/// (spec training 4.5).
///
/// The view is `width` by `height` pixels, in a batch filled up with zeros to the right and below;
/// the original frame is what the image file shows.
package struct ImageView: Sendable, Hashable {
  /// Sides of a batch are multiples of this many pixels, unless set otherwise (spec detector 2.1).
  package static let paddingUnit = 32

  /// The image's id, which its random numbers depend on.
  package let imageID: Int
  /// The original width in pixels.
  package let originalWidth: Int
  /// The original height in pixels.
  package let originalHeight: Int
  /// The width of the view in pixels, without padding.
  package let width: Int
  /// The height of the view in pixels, without padding.
  package let height: Int
  /// Whether left and right changed places after resizing.
  package let isFlipped: Bool

  /// Creates a view between two sizes.
  ///
  /// - Parameters:
  ///   - imageID: The image's id.
  ///   - originalWidth: The original width in pixels; nil where nothing was resized.
  ///   - originalHeight: The original height in pixels; nil where nothing was resized.
  ///   - width: The width of the view in pixels.
  ///   - height: The height of the view in pixels.
  ///   - isFlipped: Whether left and right change places.
  package init(
    imageID: Int = 0, originalWidth: Int? = nil, originalHeight: Int? = nil, width: Int,
    height: Int, isFlipped: Bool = false
  ) {
    self.imageID = imageID
    self.originalWidth = originalWidth ?? width
    self.originalHeight = originalHeight ?? height
    self.width = width
    self.height = height
    self.isFlipped = isFlipped
    precondition(
      self.originalWidth > 0 && self.originalHeight > 0 && width > 0 && height > 0,
      "a view of \(width)x\(height) pixels of \(self.originalWidth)x\(self.originalHeight) is empty"
    )
  }

  /// Creates the view that keeps the ratio of the sides: the largest size whose long side and short
  /// side stay within two bounds, each side rounded half up.
  ///
  /// - Parameters:
  ///   - imageID: The image's id.
  ///   - originalWidth: The original width in pixels.
  ///   - originalHeight: The original height in pixels.
  ///   - longSide: The bound of the long side.
  ///   - shortSide: The bound of the short side.
  ///   - isFlipped: Whether left and right change places.
  package init(
    imageID: Int = 0, originalWidth: Int, originalHeight: Int, longSide: Int, shortSide: Int,
    isFlipped: Bool = false
  ) {
    let (long, short) = (max(originalWidth, originalHeight), min(originalWidth, originalHeight))
    let factor = min(Double(longSide) / Double(long), Double(shortSide) / Double(short))
    self.init(
      imageID: imageID, originalWidth: originalWidth, originalHeight: originalHeight,
      width: max(1, Int(Double(originalWidth) * factor + 0.5)),
      height: max(1, Int(Double(originalHeight) * factor + 0.5)), isFlipped: isFlipped)
  }

  /// Pixels of the view per original pixel along x; differs a little from ``scaleY`` by rounding.
  package var scaleX: Float { Float(Double(width) / Double(originalWidth)) }
  /// Pixels of the view per original pixel along y.
  package var scaleY: Float { Float(Double(height) / Double(originalHeight)) }

  /// The view's size in a batch of its own.
  ///
  /// - Parameter unit: Sides are multiples of this many pixels.
  /// - Returns: The block of pixels from the origin.
  package func padded(to unit: Int = paddingUnit) -> PixelBlock {
    func rounded(_ length: Int) -> Int { length.roundedUp(toMultipleOf: unit) }
    return PixelBlock(x: 0, y: 0, width: rounded(width), height: rounded(height))
  }

  /// Brings a box from the original frame into the view: scaled and flipped.
  ///
  /// - Parameter box: The box in original pixels.
  /// - Returns: The box in pixels of the view.
  package func resized(_ box: Box) -> Box { turned(box.scaled(x: scaleX, y: scaleY)) }

  /// Brings a box from the original frame into the view and cuts it at the view's borders.
  ///
  /// - Parameter box: The box in original pixels.
  /// - Returns: The visible part in pixels of the view.
  package func visible(_ box: Box) -> Box {
    resized(box).clipped(width: Float(width), height: Float(height))
  }

  /// Brings a box from the view back into the original frame.
  ///
  /// - Parameter box: The box in pixels of the view.
  /// - Returns: The box in original pixels.
  package func original(_ box: Box) -> Box {
    let box = turned(box)
    return Box(
      x1: box.x1 / scaleX, y1: box.y1 / scaleY, x2: box.x2 / scaleX, y2: box.y2 / scaleY)
  }

  private func turned(_ box: Box) -> Box {
    guard isFlipped else { return box }
    return Box(x1: Float(width) - box.x2, y1: box.y1, x2: Float(width) - box.x1, y2: box.y2)
  }
}
