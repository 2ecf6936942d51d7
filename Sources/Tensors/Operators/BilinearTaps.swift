/// Where the pixels of a resized axis come from, in the fixed point of OpenCV's INTER_LINEAR for
/// bytes: two pixels each, with weights in 1/2048.
///
/// Output i lies at `(i + 1/2) scale - 1/2` of the source. The weights of its two pixels are rounded
/// each by itself, half to even, so that their sum may be 2047 or 2049. They are computed here and
/// not on the device: they need float64, which not every device has.
/// Source: `resize` in OpenCV's `modules/imgproc/src/resize.cpp`.
struct BilinearTaps: Sendable, Equatable {
  /// What the weights of an output pixel sum up to, but for their rounding.
  static let one = 2048

  /// For each output pixel the two source pixels and the weight of each: four numbers.
  private(set) var values: [Int32] = []

  /// Computes the taps of one axis.
  ///
  /// - Parameters:
  ///   - source: Pixels of the original, at least 1.
  ///   - target: Pixels of the result.
  ///   - isVertical: Whether these are rows. Beyond the outermost centres OpenCV takes a row twice
  ///     with the weights of its place, which cuts off two remainders, but a column once.
  ///   - isReversed: Whether the result is mirrored.
  init(source: Int, target: Int, isVertical: Bool, isReversed: Bool = false) {
    let scale = 1 / (Double(target) / Double(source))
    values.reserveCapacity(4 * target)
    for index in 0..<target {
      let place = Double(isReversed ? target - 1 - index : index)
      let position = Float((place + 0.5) * scale - 0.5)
      let cell = position.rounded(.down)
      let first = Int(cell)
      let isBeyond = first < 0 || first >= source - 1
      let fraction = isBeyond && !isVertical ? 0 : position - cell
      values += [
        Int32(min(max(first, 0), source - 1)), Int32(min(max(first + 1, 0), source - 1)),
        Self.weight(1 - fraction), Self.weight(fraction),
      ]
    }
  }

  private static func weight(_ share: Float) -> Int32 {
    Int32((share * Float(one)).rounded(.toNearestOrEven))
  }
}
