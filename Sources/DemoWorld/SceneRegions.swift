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
  /// The share of windows that are taken although they hide the ground which their caption tells of.
  private static let hiddenShare = 0.15

  /// Regions of the scene, the same for the same arguments; more of them start with the fewer.
  ///
  /// A caption names the classes of the objects of which more than half lies in the window.
  ///
  /// - Parameters:
  ///   - count: The number of regions.
  ///   - pixels: The width and height of the picture.
  func regions(_ count: Int, pixels: Int) -> [Region] {
    var random = CounterRandom(seed: seed, CounterRandom.key("regions"), UInt64(index))
    let recipe = kind == .shapes ? WindowRecipe.shapes : .scenery
    return (0..<count).map { _ in
      var window = Self.window(among: objects, recipe, pixels: pixels, &random)
      while hidesGround(window, pixels: pixels), random.uniform() > Self.hiddenShare {
        window = Self.window(among: objects, recipe, pixels: pixels, &random)
      }
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
        window: window, caption: Self.caption(of: visible.map(\.thing.name), prefix: prefix))
    }
  }

  /// How windows are drawn.
  struct WindowRecipe {
    /// The share of close-ups of an object; 7 % lie anywhere, the others show what is around.
    let closeUps: Double
    /// The side of a close-up in sizes of the object, at least 1.
    let closestSide: Double
    /// How far an object may be from the middle of its close-up, in sizes of it.
    let closeUpShift: Double
    /// The logarithm of a close-up's most extreme ratio of width and height.
    let closeUpStretch: Double
    /// The same of the other windows.
    let stretch: Double

    static let shapes = WindowRecipe(
      closeUps: 0.45, closestSide: 1.5, closeUpShift: 0.12, closeUpStretch: 0.35, stretch: 0.35)
    static let scenery = WindowRecipe(
      closeUps: 0.4, closestSide: 1.25, closeUpShift: 0.08, closeUpStretch: 0.2, stretch: 0.65)
  }

  /// A window: a close-up of an object, an object with what is around it, or anywhere.
  static func window(
    among objects: [Object], _ recipe: WindowRecipe, pixels: Int, _ random: inout CounterRandom
  ) -> FileBox {
    let kind = objects.isEmpty ? 1 : random.uniform()
    let isCloseUp = kind < recipe.closeUps
    let most = isCloseUp ? recipe.closeUpStretch : recipe.stretch
    let stretch = exp(random.uniform(-most, most)).squareRoot()
    guard kind < 0.93 else {
      let side = random.uniform(16, 40)
      let (width, height) = (side * stretch, side / stretch)
      return clipped(
        x: random.uniform(width / 2, Self.side - width / 2),
        y: random.uniform(height / 2, Self.side - height / 2), width, height, pixels: pixels)
    }
    let box = objects[random.integer(below: objects.count)].box
    let size = Double(max(box.width, box.height))
    let side =
      size * (isCloseUp ? random.uniform(1, recipe.closestSide) : random.uniform(1.5, 3.2))
    let (width, height) = (side * stretch, side / stretch)
    // Below half the window, so that the object's centre stays in it and it never leaves the image.
    let shift = recipe.closeUpShift * size
    let reach = isCloseUp ? (x: shift, y: shift) : (x: 0.4 * width, y: 0.4 * height)
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
