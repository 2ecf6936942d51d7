/// A box as COCO files hold it: top left corner and size, in pixels.
public struct BoxXYWH: Sendable, Equatable {
  /// The left edge.
  public var x: Double
  /// The top edge.
  public var y: Double
  /// The width.
  public var width: Double
  /// The height.
  public var height: Double

  /// Creates a box.
  ///
  /// - Parameters:
  ///   - x: The left edge.
  ///   - y: The top edge.
  ///   - width: The width.
  ///   - height: The height.
  public init(x: Double, y: Double, width: Double, height: Double) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }

  init(_ values: SIMD4<Double>) {
    self.init(x: values.x, y: values.y, width: values.z, height: values.w)
  }

  /// Width times height.
  public var area: Double { width * height }
}
