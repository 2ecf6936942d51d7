/// A rectangle by its corners, in continuous pixels.
public struct Box: Sendable, Hashable {
  /// Left edge.
  public var x1: Float
  /// Top edge.
  public var y1: Float
  /// Right edge.
  public var x2: Float
  /// Bottom edge.
  public var y2: Float

  /// Creates a box from its corners.
  ///
  /// - Parameters:
  ///   - x1: Left edge.
  ///   - y1: Top edge.
  ///   - x2: Right edge.
  ///   - y2: Bottom edge.
  public init(x1: Float, y1: Float, x2: Float, y2: Float) {
    self.x1 = x1
    self.y1 = y1
    self.x2 = x2
    self.y2 = y2
  }

  /// Width in pixels; negative when the edges are swapped.
  public var width: Float { x2 - x1 }

  /// Height in pixels; negative when the edges are swapped.
  public var height: Float { y2 - y1 }

  /// Width times height.
  public var area: Float { width * height }

  /// Area shared with another box.
  ///
  /// - Parameter other: The other box.
  /// - Returns: Square pixels, 0 when they do not overlap.
  public func overlap(with other: Box) -> Float {
    let width = min(x2, other.x2) - max(x1, other.x1)
    let height = min(y2, other.y2) - max(y1, other.y1)
    return max(width, 0) * max(height, 0)
  }

  /// Intersection over union, without rounding up of boxes to whole pixels.
  ///
  /// The union is at least 1e-6, so two empty boxes give 0.
  ///
  /// - Parameter other: The other box.
  /// - Returns: From 0 to 1.
  public func iou(with other: Box) -> Float {
    let overlap = overlap(with: other)
    // Most pairs do not meet; a division for each would be felt over all anchors of an image.
    guard overlap > 0 else { return 0 }
    return overlap / max(area + other.area - overlap, 1e-6)
  }

  /// The box limited to an image.
  ///
  /// - Parameters:
  ///   - width: Width of the image.
  ///   - height: Height of the image.
  /// - Returns: A box inside `0...width`, `0...height`; empty when they do not meet.
  public func clipped(width: Float, height: Float) -> Box {
    Box(
      x1: min(max(x1, 0), width), y1: min(max(y1, 0), height), x2: min(max(x2, 0), width),
      y2: min(max(y2, 0), height))
  }
}

extension Array where Element == Box {
  /// Reads boxes from rows of four floats: x1, y1, x2, y2.
  ///
  /// - Parameter corners: As many floats as four times the boxes.
  public init(corners: [Float]) {
    precondition(corners.count.isMultiple(of: 4), "\(corners.count) floats are not boxes")
    self = stride(from: 0, to: corners.count, by: 4).map {
      Box(x1: corners[$0], y1: corners[$0 + 1], x2: corners[$0 + 2], y2: corners[$0 + 3])
    }
  }

  /// Rows of four floats: x1, y1, x2, y2.
  public var corners: [Float] { flatMap { [$0.x1, $0.y1, $0.x2, $0.y2] } }
}
