/// An axis-aligned box by two corners, in continuous pixels; width is `x2 - x1`.
public struct BoundingBox: Sendable, Equatable, Hashable {
  /// The left edge.
  public var x1: Float
  /// The upper edge.
  public var y1: Float
  /// The right edge.
  public var x2: Float
  /// The lower edge.
  public var y2: Float

  /// Creates a box from its corners.
  ///
  /// - Parameters:
  ///   - x1: The left edge.
  ///   - y1: The upper edge.
  ///   - x2: The right edge.
  ///   - y2: The lower edge.
  public init(x1: Float, y1: Float, x2: Float, y2: Float) {
    self.x1 = x1
    self.y1 = y1
    self.x2 = x2
    self.y2 = y2
  }

  /// The width; negative when the corners are swapped.
  public var width: Float { x2 - x1 }
  /// The height; negative when the corners are swapped.
  public var height: Float { y2 - y1 }

  /// The part inside a picture.
  ///
  /// - Parameters:
  ///   - width: The picture's width.
  ///   - height: The picture's height.
  /// - Returns: The box with every coordinate moved into the picture.
  public func clipped(width: Float, height: Float) -> BoundingBox {
    BoundingBox(
      x1: min(max(x1, 0), width), y1: min(max(y1, 0), height),
      x2: min(max(x2, 0), width), y2: min(max(y2, 0), height))
  }

  /// The area that two boxes share.
  ///
  /// - Parameter other: The other box.
  /// - Returns: The shared area, 0 when they do not meet.
  public func overlap(with other: BoundingBox) -> Float {
    let shared = (min(x2, other.x2) - max(x1, other.x1), min(y2, other.y2) - max(y1, other.y1))
    return max(0, shared.0) * max(0, shared.1)
  }
}
