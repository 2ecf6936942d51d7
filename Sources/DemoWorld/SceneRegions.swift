import Formats
import Foundation
import Geometry

extension FileBox {
  /// What an annotation file says of a number of pixels: two decimals.
  static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}

extension Scene.Object {
  /// The box in a picture of some size.
  func bounds(pixels: Int) -> FileBox {
    let scale = Double(pixels) / Scene.side
    let numbers = [box.x1, box.y1, box.width, box.height].map {
      FileBox.rounded(Double($0) * scale)
    }
    return FileBox(x: numbers[0], y: numbers[1], width: numbers[2], height: numbers[3])
  }
}

/// Parts of a scene with a sentence each: pairs that teach which words belong to which shapes.
extension Scene {
  /// A part of the picture and what it shows.
  struct Region: Equatable {
    let window: FileBox
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
      let visible = order.filter {
        let box = $0.bounds(pixels: pixels)
        return box.overlap(with: window) / box.area > 0.5
      }
      return Region(
        window: window, caption: Self.caption(of: visible.map(\.glyph), prefix: prefix))
    }
  }

  /// A window: 45 % close-ups of an object, 48 % an object with what is around it, 7 % anywhere.
  static func window(
    among objects: [Object], pixels: Int, _ random: inout CounterRandom
  ) -> FileBox {
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
  ) -> FileBox {
    func edge(_ units: Double) -> Double {
      FileBox.rounded(max(0, min(side, units)) * Double(pixels) / side)
    }
    let (left, top) = (edge(x - width / 2), edge(y - height / 2))
    return FileBox(
      x: left, y: top, width: FileBox.rounded(edge(x + width / 2) - left),
      height: FileBox.rounded(edge(y + height / 2) - top))
  }
}
