import Foundation

/// One axis of a chart: its ends and its ticks at round values (1, 2 or 5 times a power of ten).
struct SVGAxis {
  /// The value at the left or lower end.
  let low: Double
  /// The value at the right or upper end.
  let high: Double
  /// Values that get a grid line.
  let ticks: [Double]
  /// The text of each tick.
  let labels: [String]

  /// Larger values are not drawn: sums and spans of those below stay finite.
  static let largest = 1e300

  /// Creates an axis.
  ///
  /// - Parameters:
  ///   - range: The ends; widened when they are (almost) equal.
  ///   - intervals: About how many intervals the ticks make.
  ///   - endsAtTicks: Whether the ends move outwards to the next tick.
  init(_ range: ClosedRange<Double>, intervals: Int, endsAtTicks: Bool) {
    let range = Self.widened(range)
    let step = Self.roundStep((range.upperBound - range.lowerBound) / Double(intervals))
    // Ends that are ticks but for rounding count as ticks.
    let slack = 1e-9
    var first = (range.lowerBound / step - slack).rounded(.up)
    var last = (range.upperBound / step + slack).rounded(.down)
    if endsAtTicks {
      first = (range.lowerBound / step + slack).rounded(.down)
      last = (range.upperBound / step - slack).rounded(.up)
    }
    ticks = (0...Int(max(0, last - first))).map { (first + Double($0)) * step }
    low = endsAtTicks ? first * step : range.lowerBound
    high = endsAtTicks ? last * step : range.upperBound
    labels = Self.labels(of: ticks, step: step)
  }

  /// Where a value lies between the ends.
  ///
  /// - Parameter value: The value.
  /// - Returns: 0 at the low end, 1 at the high one.
  func position(of value: Double) -> Double { (value - low) / (high - low) }

  private static func widened(_ range: ClosedRange<Double>) -> ClosedRange<Double> {
    let low = min(largest, max(-largest, range.lowerBound))
    let high = max(low, min(largest, range.upperBound))
    let magnitude = max(abs(low), abs(high))
    // Narrower spans have too few digits left for ticks.
    guard high - low <= max(1e-9 * magnitude, 1e-290) else { return low...high }
    let margin = magnitude < 1e-200 ? 1 : 0.1 * magnitude
    return low - margin...high + margin
  }

  private static func roundStep(_ step: Double) -> Double {
    let power = pow(10, floor(log10(step)))
    return power * ([1, 2, 5].first { step <= $0 * power * (1 + 1e-9) } ?? 10)
  }

  /// Ordinary decimals, or powers of ten where these would be long.
  private static func labels(of ticks: [Double], step: Double) -> [String] {
    let magnitude = ticks.reduce(step) { max($0, abs($1)) }
    if magnitude < 1e6 && step > 0.99e-5 {
      let decimals = Int(max(0, -floor(log10(step) + 1e-9)))
      return ticks.map { text(String(format: "%.\(decimals)f", $0)) }
    }
    let digits = Int(log10(magnitude / step).rounded(.up)) + 1
    return ticks.map { text(String(format: "%.\(digits)g", $0)) }
  }

  /// With the minus sign in place of the hyphen, which zero never has.
  private static func text(_ number: String) -> String {
    guard number.hasPrefix("-") else { return number }
    let digits = number.dropFirst()
    return digits.allSatisfy { $0 == "0" || $0 == "." } ? String(digits) : "\u{2212}" + digits
  }
}
