/// Values that look random and are the same in every run.
///
/// - Parameters:
///   - count: How many.
///   - seed: Rebuilds the same values.
///   - range: Bounds.
/// - Returns: Uniform values in the range.
package func randomFloats(
  _ count: Int, seed: UInt64, in range: ClosedRange<Float> = -1...1
) -> [Float] {
  var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9ABC_DEF1
  return (0..<count).map { _ in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let unit = Float(state >> 40) / Float(1 << 24)
    return range.lowerBound + (range.upperBound - range.lowerBound) * unit
  }
}
