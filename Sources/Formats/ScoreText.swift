import Foundation

/// A score in [0, 1] as people read it.
package enum ScoreText {
  private static let usualDigits = 3
  private static let mostDigits = 6

  /// The score with three decimals, and as many more as a score below 1 needs to differ from 1.
  ///
  /// - Parameter score: The score; what lies outside of [0, 1] is moved to its ends.
  /// - Returns: "0.981", "0.99987" or "1.000"; two digits of a score below a thousandth.
  package static func of(_ score: Double) -> String {
    let score = score.isNaN ? 0 : max(0, min(1, score))
    if score > 0, score < 0.001 { return String(format: "%.2g", score) }
    var digits = usualDigits
    while digits < mostDigits, score < 1, rounded(score, digits) >= 1 { digits += 1 }
    return String(format: "%.\(digits)f", score)
  }

  private static func rounded(_ score: Double, _ digits: Int) -> Double {
    let scale = pow(10, Double(digits))
    return (score * scale).rounded() / scale
  }
}
