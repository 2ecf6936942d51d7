import Foundation
import Geometry
import Masks

/// Draws rectangles and text with smooth edges into a picture.
///
/// Coordinates are continuous pixels: the first pixel covers 0 to 1. What lies outside is cut off.
package struct Canvas: Sendable {
  /// The picture drawn so far.
  package private(set) var image: Image

  package init(_ image: Image) { self.image = image }

  private mutating func blend(x: Int, y: Int, _ color: Color, _ opacity: Double) {
    let base = (y * image.width + x) * 3
    func mix(_ offset: Int, _ channel: UInt8) {
      let old = Double(image.bytes[base + offset])
      image.bytes[base + offset] = UInt8(old + (Double(channel) - old) * opacity + 0.5)
    }
    mix(0, color.red)
    mix(1, color.green)
    mix(2, color.blue)
  }

  /// The pixels that a continuous range touches.
  private static func pixels(_ from: Double, _ to: Double, below limit: Int) -> Range<Int> {
    let first = Int(max(0, min(Double(limit), from.rounded(.down))))
    return first..<max(first, Int(max(0, min(Double(limit), to.rounded(.up)))))
  }

  /// Fills a rectangle; pixels that it covers in part are mixed in part.
  ///
  /// - Parameters:
  ///   - box: The rectangle.
  ///   - color: Its colour.
  ///   - opacity: From 0, invisible, to 1.
  package mutating func fill(_ box: Box, color: Color, opacity: Double = 1) {
    guard box.width > 0, box.height > 0 else { return }
    let (x1, y1, x2, y2) = (Double(box.x1), Double(box.y1), Double(box.x2), Double(box.y2))
    let columns = Self.pixels(x1, x2, below: image.width)
    for y in Self.pixels(y1, y2, below: image.height) {
      let rowShare = min(Double(y + 1), y2) - max(Double(y), y1)
      for x in columns {
        let share = rowShare * (min(Double(x + 1), x2) - max(Double(x), x1))
        blend(x: x, y: y, color, opacity * max(0, min(1, share)))
      }
    }
  }

  /// Fills the pixels of a mask of the picture's size.
  ///
  /// - Parameters:
  ///   - mask: The mask; one of another size changes nothing.
  ///   - color: Its colour.
  ///   - opacity: From 0, invisible, to 1.
  package mutating func fill(_ mask: RunLengthMask, color: Color, opacity: Double) {
    guard mask.width == image.width, mask.height == image.height else { return }
    for (place, value) in mask.bitmap().enumerated() where value != 0 {
      blend(x: place % image.width, y: place / image.width, color, opacity)
    }
  }

  /// Draws a rectangle's outline inward from its edges, moved inside the picture.
  ///
  /// - Parameters:
  ///   - box: The rectangle.
  ///   - color: The line's colour.
  ///   - thickness: The line's width in pixels.
  package mutating func outline(_ box: Box, color: Color, thickness: Float) {
    let box = box.clipped(width: Float(image.width), height: Float(image.height))
    let line = min(thickness, max(1, min(box.width, box.height) / 2))
    let (top, bottom) = (box.y1 + line, max(box.y1 + line, box.y2 - line))
    fill(Box(x1: box.x1, y1: box.y1, x2: box.x2, y2: top), color: color)
    fill(Box(x1: box.x1, y1: bottom, x2: box.x2, y2: box.y2), color: color)
    fill(Box(x1: box.x1, y1: top, x2: box.x1 + line, y2: bottom), color: color)
    fill(Box(x1: box.x2 - line, y1: top, x2: box.x2, y2: bottom), color: color)
  }

  /// Writes a text.
  ///
  /// - Parameters:
  ///   - text: The text; a letter that no font has shows as "?".
  ///   - x: The left end of the first character.
  ///   - y: The top of the capitals.
  ///   - capitalHeight: The height of a capital letter in pixels.
  ///   - color: The pen's colour.
  ///   - font: The fonts for other letters than those of ASCII.
  package mutating func write(
    _ text: String, x: Double, y: Double, capitalHeight: Double, color: Color,
    font: SystemFont = .shared
  ) {
    let scale = capitalHeight / StrokeFont.capitalHeight
    let radius = max(0.55, capitalHeight * 0.075)
    var pen = x
    for letter in LabelText(text, capitalHeight: capitalHeight, font: font).elements {
      switch letter.element {
      case .strokes(let glyph):
        let strokes = glyph.strokes.map { stroke in
          stroke.map { StrokeFont.Point(x: pen + $0.x * scale, y: y + $0.y * scale) }
        }
        draw(strokes, radius: radius, color: color)
      case .bitmap(let glyph): draw(glyph, x: pen, baseline: y + capitalHeight, color: color)
      }
      pen += letter.advance
    }
  }

  /// Draws a letter of a font, on whole pixels.
  private mutating func draw(_ glyph: SystemFont.Glyph, x: Double, baseline: Double, color: Color) {
    guard abs(x) < 1e6, abs(baseline) < 1e6 else { return }
    let left = Int(x.rounded()) + glyph.left
    let top = Int(baseline.rounded()) - glyph.top
    for row in 0..<glyph.height where (0..<image.height).contains(top + row) {
      for column in 0..<glyph.width where (0..<image.width).contains(left + column) {
        let share = glyph.coverage[row * glyph.width + column]
        if share > 0 { blend(x: left + column, y: top + row, color, Double(share) / 255) }
      }
    }
  }

  /// Draws the strokes of one glyph; each pixel is mixed once, however many strokes cover it.
  private mutating func draw(_ strokes: [[StrokeFont.Point]], radius: Double, color: Color) {
    let points = strokes.joined()
    guard let left = points.map(\.x).min(), let right = points.map(\.x).max(),
      let top = points.map(\.y).min(), let bottom = points.map(\.y).max()
    else { return }
    let reach = radius + 1
    for y in Self.pixels(top - reach, bottom + reach, below: image.height) {
      for x in Self.pixels(left - reach, right + reach, below: image.width) {
        let center = StrokeFont.Point(x: Double(x) + 0.5, y: Double(y) + 0.5)
        var nearest = Double.infinity
        for stroke in strokes {
          nearest = min(nearest, Self.squaredDistance(from: center, to: stroke))
        }
        let coverage = radius + 0.5 - nearest.squareRoot()
        if coverage > 0 { blend(x: x, y: y, color, min(1, coverage)) }
      }
    }
  }

  private static func squaredDistance(
    from point: StrokeFont.Point, to stroke: [StrokeFont.Point]
  ) -> Double {
    var nearest = Double.infinity
    var from = stroke[0]
    for to in stroke.count > 1 ? stroke.dropFirst() : stroke[...] {
      let (alongX, alongY) = (to.x - from.x, to.y - from.y)
      let length = alongX * alongX + alongY * alongY
      let projection = (point.x - from.x) * alongX + (point.y - from.y) * alongY
      let share = length > 0 ? max(0, min(1, projection / length)) : 0
      let (awayX, awayY) = (point.x - from.x - share * alongX, point.y - from.y - share * alongY)
      nearest = min(nearest, awayX * awayX + awayY * awayY)
      from = to
    }
    return nearest
  }
}
