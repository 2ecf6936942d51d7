import Formats
import Foundation
import Masks
import Pictures

extension Scene {
  /// Paints the scene.
  ///
  /// - Parameter pixels: The width and height of the picture; the noise is drawn for each pixel, so
  ///   pictures of two sizes differ in grain but not in content.
  package func render(pixels: Int = 96) -> Image {
    var random = CounterRandom(seed: seed, CounterRandom.key("paint"), UInt64(index))
    var values = Self.background(pixels: pixels, &random)
    let scale = Double(pixels) / Self.side
    if let ground { paint(ground, pixels: pixels, &values, &random) }
    for object in objects { paint(object, scale: scale, pixels: pixels, &values, &random) }
    let bytes = values.map { value -> UInt8 in
      let noisy = value + 0.02 * random.normal()
      return UInt8(max(0, min(255, (noisy * 255).rounded())))
    }
    return Image(width: pixels, height: pixels, bytes: bytes)
  }

  /// Grey with a tint and soft spots: a 7x7 grid of noise enlarged bilinearly.
  private static func background(pixels: Int, _ random: inout CounterRandom) -> [Double] {
    let grey = random.uniform(0.1, 0.4)
    let tint = (0..<3).map { _ in random.uniform(-0.06, 0.06) }
    let grid = (0..<7 * 7 * 3).map { _ in 0.05 * random.normal() }
    // Pixel centres on the grid's cells, cell centres at half places, edges repeated.
    let places = (0..<pixels).map { pixel -> (Int, Int, Double) in
      let place = max(0, min(6, (Double(pixel) + 0.5) * 7 / Double(pixels) - 0.5))
      let cell = min(5, Int(place))
      return (cell, cell + 1, place - Double(cell))
    }
    var values: [Double] = []
    values.reserveCapacity(pixels * pixels * 3)
    for (top, bottom, down) in places {
      for (left, right, across) in places {
        for channel in 0..<3 {
          let upper =
            grid[(top * 7 + left) * 3 + channel] * (1 - across)
            + grid[(top * 7 + right) * 3 + channel] * across
          let lower =
            grid[(bottom * 7 + left) * 3 + channel] * (1 - across)
            + grid[(bottom * 7 + right) * 3 + channel] * across
          values.append(grey + tint[channel] + upper * (1 - down) + lower * down)
        }
      }
    }
    return values
  }

  private func paint(
    _ object: Object, scale: Double, pixels: Int, _ values: inout [Double],
    _ random: inout CounterRandom
  ) {
    let place = Placement(object, scale: scale)
    let columns = Self.span(place.centerX, place.halfWidth * place.reach, pixels)
    let color = [object.color.red, object.color.green, object.color.blue].map { Double($0) / 255 }
    for y in Self.span(place.centerY, place.halfHeight * place.reach, pixels) {
      for x in columns {
        var hits = 0
        for sample in 0..<16
        where place.contains(
          x: Double(x) + (Double(sample % 4) + 0.5) / 4,
          y: Double(y) + (Double(sample / 4) + 0.5) / 4)
        {
          hits += 1
        }
        guard hits > 0 else { continue }
        let share = Double(hits) / 16
        let texture = 1 + 0.06 * random.normal()
        let base = (y * pixels + x) * 3
        for channel in 0..<3 {
          values[base + channel] += (color[channel] * texture - values[base + channel]) * share
        }
      }
    }
  }

  fileprivate static func span(_ center: Double, _ half: Double, _ pixels: Int) -> Range<Int> {
    let first = max(0, Int((center - half).rounded(.down)))
    return first..<max(first, min(pixels, Int((center + half).rounded(.up))))
  }
}

/// Where an object stands in a picture.
private struct Placement {
  let glyph: Glyph
  let halfWidth: Double
  let halfHeight: Double
  let centerX: Double
  let centerY: Double
  let cosine: Double
  let sine: Double

  init(_ object: Scene.Object, scale: Double) {
    let box = object.box
    glyph = object.thing.glyph
    (halfWidth, halfHeight) = (Double(box.width) / 2 * scale, Double(box.height) / 2 * scale)
    centerX = Double(box.x1 + box.x2) / 2 * scale
    centerY = Double(box.y1 + box.y2) / 2 * scale
    (cosine, sine) = (cos(object.rotation), sin(object.rotation))
  }

  /// A turned square reaches beyond its box by the sine of the turn.
  var reach: Double { abs(sine) + cosine }

  /// Whether a point of the picture is in the shape.
  func contains(x: Double, y: Double) -> Bool {
    let (across, down) = ((x - centerX) / halfWidth, (y - centerY) / halfHeight)
    return glyph.contains(x: across * cosine + down * sine, y: down * cosine - across * sine)
  }
}

extension Scene.Object {
  /// The pixels whose centres are in the shape, whatever stands in front of it.
  ///
  /// - Parameters:
  ///   - pixels: The width and height of the scene.
  ///   - width: The width of the picture, whose left part the scene is; nil for the scene's.
  /// - Throws: `MaskError` for a picture too large for a mask.
  package func mask(pixels: Int, width: Int? = nil) throws -> RunLengthMask {
    let width = width ?? pixels
    let place = Placement(self, scale: Double(pixels) / Scene.side)
    let columns = Scene.span(place.centerX, place.halfWidth * place.reach, pixels)
    var bitmap = [UInt8](repeating: 0, count: pixels * width)
    for y in Scene.span(place.centerY, place.halfHeight * place.reach, pixels) {
      for x in columns where place.contains(x: Double(x) + 0.5, y: Double(y) + 0.5) {
        bitmap[y * width + x] = 1
      }
    }
    return try RunLengthMask(width: width, height: pixels, bitmap: bitmap)
  }
}

extension Image {
  /// A wider picture: the same columns again and again.
  func repeated(toWidth wide: Int) -> Image {
    guard wide > width else { return self }
    var wider: [UInt8] = []
    wider.reserveCapacity(wide * height * 3)
    for row in 0..<height {
      for x in 0..<wide {
        let at = (row * width + x % width) * 3
        wider.append(contentsOf: bytes[at..<at + 3])
      }
    }
    return Image(width: wide, height: height, bytes: wider)
  }
}
