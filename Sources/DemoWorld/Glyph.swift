import Foundation

/// The shapes of the demo world, one class each; the colour says nothing about the class.
///
/// Shapes are defined on x and y in [-1, 1], y down.
package enum Glyph: String, CaseIterable, Sendable {
  case disk, box, tent, kite, ring, frame, plus, cross, star, moon, heart, dome
  case glass, bow, bars, fence, chess, dice, target, tee, ell, arrow, vee, aitch

  /// The classes that are not labelled in training.
  package static let novel: [Glyph] = [.ring, .star, .heart, .glass, .fence, .dice, .tee, .arrow]

  /// The classes that are labelled in training.
  package static let base: [Glyph] = allCases.filter { !novel.contains($0) }

  /// Classes that appear together: two base and one novel each.
  package static let themes: [[Glyph]] = [
    [.disk, .box, .star], [.tent, .kite, .ring], [.frame, .plus, .glass], [.cross, .moon, .fence],
    [.bow, .bars, .tee], [.chess, .target, .heart], [.ell, .vee, .arrow], [.dome, .aitch, .dice],
  ]

  /// Whether a point belongs to the shape.
  ///
  /// - Parameters:
  ///   - x: From -1, left, to 1, right.
  ///   - y: From -1, top, to 1, bottom.
  /// - Returns: Whether the shape covers the point.
  package func contains(x: Double, y: Double) -> Bool {
    guard abs(x) <= 1, abs(y) <= 1 else { return false }
    let radius = hypot(x, y)
    let reach = max(abs(x), abs(y))
    switch self {
    case .disk: return radius < 1
    case .box: return reach < 0.92
    case .tent: return abs(x) < (y + 1) / 2
    case .kite: return abs(x) + abs(y) < 1
    case .ring: return radius > 0.55 && radius < 1
    case .frame: return reach > 0.55 && reach < 0.95
    case .plus: return abs(x) < 0.3 || abs(y) < 0.3
    case .cross: return abs(x - y) < 0.42 || abs(x + y) < 0.42
    case .star: return Self.isInStar(x: x, y: y)
    case .moon: return radius < 1 && hypot(x - 0.5, y) > 0.8
    case .heart:
      let (across, up) = (1.15 * x, 0.1 - 1.15 * y)
      let round = across * across + up * up - 0.9
      return round * round * round < 1.6 * across * across * up * up * up
    case .dome: return hypot(x, (y - 1) / 2) < 1
    case .glass: return abs(x) < abs(y)
    case .bow: return abs(y) < abs(x)
    case .bars: return (2.5 * (y + 1)).truncatingRemainder(dividingBy: 2) < 1
    case .fence: return (2.5 * (x + 1)).truncatingRemainder(dividingBy: 2) < 1
    case .chess: return x * y > 0
    case .dice: return hypot(abs(x) - 0.55, abs(y) - 0.55) < 0.42
    case .target: return radius < 0.4 || (radius > 0.68 && radius < 1)
    case .tee: return y < -0.4 || abs(x) < 0.28
    case .ell: return x < -0.4 || y > 0.4
    case .arrow: return y < 0 ? abs(x) < y + 1 : abs(x) < 0.3
    case .vee: return abs(y + 0.65 - 1.3 * abs(x)) < 0.42
    case .aitch: return abs(x) > 0.45 || abs(y) < 0.22
    }
  }

  /// Five points, the first straight up, with radii 1 and 0.42.
  private static func isInStar(x: Double, y: Double) -> Bool {
    let sector = Double.pi / 5
    // Folded into half a point: angle 0 at a tip, `sector` at the notch beside it.
    let turned = abs(atan2(x, -y))
    let remainder = turned.truncatingRemainder(dividingBy: 2 * sector)
    let angle = min(remainder, 2 * sector - remainder)
    let (along, across) = (hypot(x, y) * cos(angle), hypot(x, y) * sin(angle))
    let notch = (along: 0.42 * cos(sector), across: 0.42 * sin(sector))
    // Left of the edge from the tip (1, 0) to the notch.
    return (along - 1) * notch.across - across * (notch.along - 1) < 0
  }
}
