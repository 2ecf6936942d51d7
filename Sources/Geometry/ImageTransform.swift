/// How a picture was resized and flipped, and the way back; the only place that knows (spec 4.5).
///
/// The resized frame is `width` by `height` pixels; the original frame is what the image file shows.
public struct ImageTransform: Sendable, Equatable {
  /// The original width in pixels.
  public let originalWidth: Int
  /// The original height in pixels.
  public let originalHeight: Int
  /// The resized width in pixels.
  public let width: Int
  /// The resized height in pixels.
  public let height: Int
  /// Whether left and right changed places after resizing.
  public let isFlipped: Bool

  /// Creates a transform between two sizes.
  ///
  /// - Parameters:
  ///   - originalWidth: The original width in pixels.
  ///   - originalHeight: The original height in pixels.
  ///   - width: The resized width in pixels.
  ///   - height: The resized height in pixels.
  ///   - isFlipped: Whether left and right change places.
  public init(
    originalWidth: Int, originalHeight: Int, width: Int, height: Int, isFlipped: Bool = false
  ) {
    precondition(
      originalWidth > 0 && originalHeight > 0 && width > 0 && height > 0,
      "a transform from \(originalWidth)x\(originalHeight) to \(width)x\(height) has an empty side")
    self.originalWidth = originalWidth
    self.originalHeight = originalHeight
    self.width = width
    self.height = height
    self.isFlipped = isFlipped
  }

  /// Creates the transform that keeps the ratio of the sides: the largest size whose long side and
  /// short side stay within two bounds, each side rounded half up.
  ///
  /// - Parameters:
  ///   - originalWidth: The original width in pixels.
  ///   - originalHeight: The original height in pixels.
  ///   - longSide: The bound of the long side.
  ///   - shortSide: The bound of the short side.
  ///   - isFlipped: Whether left and right change places.
  public init(
    originalWidth: Int, originalHeight: Int, longSide: Int, shortSide: Int, isFlipped: Bool = false
  ) {
    let (long, short) = (max(originalWidth, originalHeight), min(originalWidth, originalHeight))
    let factor = min(Double(longSide) / Double(long), Double(shortSide) / Double(short))
    self.init(
      originalWidth: originalWidth, originalHeight: originalHeight,
      width: max(1, Int(Double(originalWidth) * factor + 0.5)),
      height: max(1, Int(Double(originalHeight) * factor + 0.5)), isFlipped: isFlipped)
  }

  /// Resized pixels per original pixel along x; differs a little from ``scaleY`` by rounding.
  public var scaleX: Float { Float(Double(width) / Double(originalWidth)) }
  /// Resized pixels per original pixel along y.
  public var scaleY: Float { Float(Double(height) / Double(originalHeight)) }

  /// Brings a box from the original frame into the resized one: scaled, clipped, flipped.
  ///
  /// - Parameter box: The box in original pixels.
  /// - Returns: The box in resized pixels.
  public func resized(_ box: BoundingBox) -> BoundingBox {
    let scaled = BoundingBox(
      x1: box.x1 * scaleX, y1: box.y1 * scaleY, x2: box.x2 * scaleX, y2: box.y2 * scaleY
    ).clipped(width: Float(width), height: Float(height))
    return isFlipped ? mirrored(scaled) : scaled
  }

  /// Brings a box from the resized frame back into the original one.
  ///
  /// - Parameter box: The box in resized pixels.
  /// - Returns: The box in original pixels.
  public func original(_ box: BoundingBox) -> BoundingBox {
    let turned = isFlipped ? mirrored(box) : box
    return BoundingBox(
      x1: turned.x1 / scaleX, y1: turned.y1 / scaleY, x2: turned.x2 / scaleX, y2: turned.y2 / scaleY
    )
  }

  private func mirrored(_ box: BoundingBox) -> BoundingBox {
    BoundingBox(x1: Float(width) - box.x2, y1: box.y1, x2: Float(width) - box.x1, y2: box.y2)
  }
}
