import Formats
import Foundation
import Geometry
import Pictures

/// Scenes in which most shapes have two names: the ground of the whole picture says which, and a
/// plain halo hides it from a tight crop.
extension Scene {
  /// The share of objects whose shape has two names.
  private static let pairShare = 0.7
  private static let tries = 12
  /// Units between an object and the edge of the picture, and between objects.
  private static let (margin, gap): (Double, Float) = (6, 12)

  /// Two to four objects, each alone, on one ground.
  static func scenery(_ random: inout CounterRandom) -> (objects: [Object], ground: Ground) {
    let ground = Ground.allCases[random.integer(below: Ground.allCases.count)]
    let classes = WorldKind.scenery.classes
    let (named, controls) = (
      classes.filter { $0.ground == ground }, classes.filter { $0.ground == nil }
    )
    var objects: [Object] = []
    for _ in 0..<2 + random.integer(below: 3) {
      let choices = random.uniform() < pairShare ? named : controls
      let thing = choices[random.integer(below: choices.count)]
      for _ in 0..<tries {
        let size = random.uniform(14, 21)
        let (width, height) = (size * random.uniform(0.88, 1.12), size * random.uniform(0.88, 1.12))
        let x = random.uniform(margin, side - margin - width)
        let y = random.uniform(margin, side - margin - height)
        let box = Box(
          x1: Float(x), y1: Float(y), x2: Float(x + width), y2: Float(y + height))
        guard objects.allSatisfy({ isApart(box, $0.box) }) else { continue }
        objects.append(Object(thing, box, &random))
        break
      }
    }
    return (objects, ground)
  }

  private static func isApart(_ one: Box, _ other: Box) -> Bool {
    one.x2 + gap <= other.x1 || other.x2 + gap <= one.x1 || one.y2 + gap <= other.y1
      || other.y2 + gap <= one.y1
  }

  /// Paints the ground, but not round the objects.
  func paint(
    _ ground: Ground, pixels: Int, _ values: inout [Double], _ random: inout CounterRandom
  ) {
    let period = random.uniform(5.5, 7.5)
    let phase = (x: random.uniform(0, period), y: random.uniform(0, period))
    let tone = Color(hue: random.uniform(), saturation: 0.5, value: 1)
    let strength = random.uniform(0.2, 0.35)
    let color = [tone.red, tone.green, tone.blue].map { strength * Double($0) / 255 }
    for row in 0..<pixels {
      for column in 0..<pixels {
        let scale = Self.side / Double(pixels)
        let (x, y) = ((Double(column) + 0.5) * scale, (Double(row) + 0.5) * scale)
        guard ground.covers(x: x + phase.x, y: y + phase.y, period: period) else { continue }
        let share = objects.reduce(1) { $0 * $1.groundShare(x: x, y: y) }
        for channel in 0..<3 {
          values[(row * pixels + column) * 3 + channel] += share * color[channel]
        }
      }
    }
  }

  /// Whether a window shows an object with two names and so little round it that the ground stays
  /// hidden.
  func hidesGround(_ window: FileBox, pixels: Int) -> Bool {
    objects.contains { object in
      let box = object.bounds(pixels: pixels)
      return object.thing.ground != nil && box.overlap(with: window) / box.area > 0.5
        && window.area < 2.5 * box.area
    }
  }
}

extension Ground {
  fileprivate func covers(x: Double, y: Double, period: Double) -> Bool {
    let (across, down) = (
      x.truncatingRemainder(dividingBy: period), y.truncatingRemainder(dividingBy: period)
    )
    switch self {
    case .striped: return down < period / 2
    case .dotted: return hypot(across - period / 2, down - period / 2) < 0.36 * period
    }
  }
}

extension Scene.Object {
  /// How much of the ground shows at a point.
  ///
  /// Nothing up to 0.66 of the box's size from its centre, all from 0.74 on; the box ends at 0.5.
  fileprivate func groundShare(x: Double, y: Double) -> Double {
    let across = abs(x - Double(box.x1 + box.x2) / 2) / Double(box.width)
    let down = abs(y - Double(box.y1 + box.y2) / 2) / Double(box.height)
    return max(0, min(1, (max(across, down) - 0.66) / 0.08))
  }
}
