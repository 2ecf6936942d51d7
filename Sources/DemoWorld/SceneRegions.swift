import Formats
import Foundation

/// A rectangle in a picture, in pixels, as an annotation file gives it: to two decimals.
struct PixelBox: Equatable {
  let x: Double
  let y: Double
  let width: Double
  let height: Double

  /// The numbers as COCO writes them: x, y, width, height.
  var numbers: [Double] { [x, y, width, height] }

  static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }

  /// The share of this box that a window shows, from 0 to 1.
  func share(in window: PixelBox) -> Double {
    let across = min(x + width, window.x + window.width) - max(x, window.x)
    let down = min(y + height, window.y + window.height) - max(y, window.y)
    return max(0, across) * max(0, down) / (width * height)
  }
}

extension Scene.Object {
  /// The box in a picture of some size.
  func bounds(pixels: Int) -> PixelBox {
    let scale = Double(pixels) / Scene.side
    let numbers = [box.x1, box.y1, box.width, box.height].map {
      PixelBox.rounded(Double($0) * scale)
    }
    return PixelBox(x: numbers[0], y: numbers[1], width: numbers[2], height: numbers[3])
  }
}

/// Parts of a scene with a sentence each: pairs that teach which words belong to which shapes.
extension Scene {
  /// A part of the picture and what it shows.
  struct Region: Equatable {
    let window: PixelBox
    let caption: String
  }

  private static let prefixes = ["", "a photo of", "there is"]

  /// Regions of the scene, the same for the same arguments; more of them start with the fewer.
  ///
  /// A caption names the classes of the objects of which more than half lies in the window.
  ///
  /// - Parameters:
  ///   - count: The number of regions.
  ///   - pixels: The width and height of the picture.
  /// - Returns: The regions.
  func regions(_ count: Int, pixels: Int) -> [Region] {
    var random = CounterRandom(seed: seed, CounterRandom.key("regions"), UInt64(index))
    return (0..<count).map { _ in
      let window = Self.window(among: objects, pixels: pixels, &random)
      // All objects are shuffled, so that the draws do not depend on which of them are visible.
      var order = objects
      random.shuffle(&order)
      let prefix = Self.prefixes[random.integer(below: Self.prefixes.count)]
      // Judged by the numbers that stand in the files: whoever reads those finds the same classes.
      let visible = order.filter { $0.bounds(pixels: pixels).share(in: window) > 0.5 }
      return Region(
        window: window, caption: Self.caption(of: visible.map(\.glyph), prefix: prefix))
    }
  }

  /// A window: 45 % close-ups of an object, 48 % an object with what is around it, 7 % anywhere.
  static func window(
    among objects: [Object], pixels: Int, _ random: inout CounterRandom
  ) -> PixelBox {
    let kind = objects.isEmpty ? 1 : random.uniform()
    let stretch = exp(random.uniform(-0.35, 0.35)).squareRoot()
    guard kind < 0.93 else {
      let side = random.uniform(16, 40)
      let (width, height) = (side * stretch, side / stretch)
      return clipped(
        x: random.uniform(width / 2, Self.side - width / 2),
        y: random.uniform(height / 2, Self.side - height / 2), width, height, pixels: pixels)
    }
    let box = objects[random.integer(below: objects.count)].box
    let size = Double(max(box.width, box.height))
    let isCloseUp = kind < 0.45
    let side = size * (isCloseUp ? random.uniform(1, 1.5) : random.uniform(1.5, 3.2))
    let (width, height) = (side * stretch, side / stretch)
    // Below half the window, so that the object's centre stays in it and it never leaves the image.
    let reach = isCloseUp ? (x: 0.12 * size, y: 0.12 * size) : (x: 0.4 * width, y: 0.4 * height)
    return clipped(
      x: Double(box.x1 + box.x2) / 2 + reach.x * random.uniform(-1, 1),
      y: Double(box.y1 + box.y2) / 2 + reach.y * random.uniform(-1, 1), width, height,
      pixels: pixels)
  }

  /// The part of a window inside the picture; centre and size are in units of the scene.
  private static func clipped(
    x: Double, y: Double, _ width: Double, _ height: Double, pixels: Int
  ) -> PixelBox {
    func edge(_ units: Double) -> Double {
      PixelBox.rounded(max(0, min(side, units)) * Double(pixels) / side)
    }
    let (left, top) = (edge(x - width / 2), edge(y - height / 2))
    return PixelBox(
      x: left, y: top, width: PixelBox.rounded(edge(x + width / 2) - left),
      height: PixelBox.rounded(edge(y + height / 2) - top))
  }
}
