// Public although only the public uses it: the compiler specialises generics and inlines across
// modules only what is public, and a rectangle is made for every record of a file.

/// A number that rectangles are made of.
public protocol RectangleNumber: SignedNumeric, Comparable, Hashable, Sendable, BitwiseCopyable {
  /// Whether a rectangle keeps its size beside its first corner, and not its second corner.
  ///
  /// A tensor holds corners and a file holds sizes; each is kept as it came, so that neither `x2` of
  /// the one nor `width` of the other is rounded.
  static var keepsSize: Bool { get }
}

extension Float: RectangleNumber {
  /// False: the numbers of tensors.
  @inlinable public static var keepsSize: Bool { false }
}

extension Double: RectangleNumber {
  /// True: the numbers of annotation and result files.
  @inlinable public static var keepsSize: Bool { true }
}

extension Int: RectangleNumber {
  /// True: whole pixels.
  @inlinable public static var keepsSize: Bool { true }
}

/// A box in continuous pixels as tensors hold it: its corners.
public typealias Box = Rectangle<Float>

/// A box in continuous pixels as files hold it: its first corner and its size.
public typealias FileBox = Rectangle<Double>

/// A block of whole pixels.
public typealias PixelBlock = Rectangle<Int>

/// A rectangle along the axes: the only one of the program (``Box``, ``FileBox``, ``PixelBlock``).
public struct Rectangle<Number: RectangleNumber>: Sendable, Hashable, BitwiseCopyable {
  /// The left edge.
  public let x1: Number
  /// The upper edge.
  public let y1: Number
  /// The right edge, or the width where sizes are kept.
  @usableFromInline let acrossKept: Number
  /// The lower edge, or the height where sizes are kept.
  @usableFromInline let downKept: Number

  /// Creates a rectangle from its corners.
  ///
  /// - Parameters:
  ///   - x1: The left edge.
  ///   - y1: The upper edge.
  ///   - x2: The right edge.
  ///   - y2: The lower edge.
  @inlinable
  public init(x1: Number, y1: Number, x2: Number, y2: Number) {
    self.x1 = x1
    self.y1 = y1
    acrossKept = Number.keepsSize ? x2 - x1 : x2
    downKept = Number.keepsSize ? y2 - y1 : y2
  }

  /// Creates a rectangle from its first corner and its size.
  ///
  /// - Parameters:
  ///   - x: The left edge.
  ///   - y: The upper edge.
  ///   - width: The width.
  ///   - height: The height.
  @inlinable
  public init(x: Number, y: Number, width: Number, height: Number) {
    x1 = x
    y1 = y
    acrossKept = Number.keepsSize ? width : x + width
    downKept = Number.keepsSize ? height : y + height
  }

  /// The right edge.
  @inlinable public var x2: Number { Number.keepsSize ? x1 + acrossKept : acrossKept }

  /// The lower edge.
  @inlinable public var y2: Number { Number.keepsSize ? y1 + downKept : downKept }

  /// The width; negative when the edges are swapped.
  @inlinable public var width: Number { Number.keepsSize ? acrossKept : acrossKept - x1 }

  /// The height; negative when the edges are swapped.
  @inlinable public var height: Number { Number.keepsSize ? downKept : downKept - y1 }

  /// Width times height.
  @inlinable public var area: Number { width * height }

  /// The area shared with another rectangle.
  ///
  /// - Parameter other: The other rectangle.
  /// - Returns: The shared area, 0 when they do not meet.
  @inlinable
  public func overlap(with other: Self) -> Number {
    let width = min(x2, other.x2) - max(x1, other.x1)
    let height = min(y2, other.y2) - max(y1, other.y1)
    return max(width, 0) * max(height, 0)
  }

  /// The part inside a picture.
  ///
  /// - Parameters:
  ///   - width: The picture's width.
  ///   - height: The picture's height.
  /// - Returns: A rectangle inside `0...width`, `0...height`; empty when they do not meet.
  @inlinable
  public func clipped(width: Number, height: Number) -> Self {
    Self(
      x1: min(max(x1, 0), width), y1: min(max(y1, 0), height), x2: min(max(x2, 0), width),
      y2: min(max(y2, 0), height))
  }

  /// The rectangle in pixels of another size.
  ///
  /// - Parameters:
  ///   - x: New pixels per pixel along x.
  ///   - y: New pixels per pixel along y.
  /// - Returns: The rectangle with every number multiplied.
  @inlinable
  public func scaled(x: Number, y: Number) -> Self {
    Number.keepsSize
      ? Self(x: x1 * x, y: y1 * y, width: acrossKept * x, height: downKept * y)
      : Self(x1: x1 * x, y1: y1 * y, x2: acrossKept * x, y2: downKept * y)
  }
}

extension Rectangle where Number: BinaryFloatingPoint {
  /// Brings a box from a file to a tensor or back; what the result keeps is rounded once.
  ///
  /// - Parameter other: The box in numbers of another precision.
  @inlinable
  public init<Other: RectangleNumber & BinaryFloatingPoint>(_ other: Rectangle<Other>) {
    if Number.keepsSize {
      self.init(
        x: Number(other.x1), y: Number(other.y1), width: Number(other.width),
        height: Number(other.height))
    } else {
      self.init(
        x1: Number(other.x1), y1: Number(other.y1), x2: Number(other.x2), y2: Number(other.y2))
    }
  }
}
