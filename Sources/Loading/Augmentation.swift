import Formats
import Geometry

/// The sizes and the flip that training draws from (spec training 4.5).
package struct Augmentation: Sendable, Equatable {
  /// The bound of the long side in pixels.
  package var longSide: Int
  /// The bounds of the short side in pixels, one drawn uniformly for each image.
  package var shortSides: [Int]
  /// The probability of a horizontal flip.
  package var flipProbability: Double

  /// Creates an augmentation.
  package init(longSide: Int, shortSides: [Int], flipProbability: Double) {
    precondition(
      longSide > 0 && !shortSides.isEmpty && shortSides.allSatisfy { $0 > 0 },
      "an augmentation needs positive sides, not \(longSide) and \(shortSides)")
    self.longSide = longSide
    self.shortSides = shortSides
    self.flipProbability = flipProbability
  }

  /// Draws the view of one image, a pure function of its arguments.
  ///
  /// - Parameters:
  ///   - width: The original width in pixels.
  ///   - height: The original height in pixels.
  ///   - seed: The run's seed.
  ///   - iteration: The iteration that uses the image.
  ///   - slot: What tells apart two uses of an image in one iteration, over all processes.
  ///   - imageID: The image's id.
  package func view(
    width: Int, height: Int, seed: UInt64, iteration: Int, slot: Int, imageID: Int
  ) -> ImageView {
    let keys = [iteration, slot, imageID].map { UInt64(bitPattern: Int64($0)) }
    var scale = CounterRandom(seed: seed, CounterRandom.key("scale"), keys[0], keys[1], keys[2])
    var flip = CounterRandom(seed: seed, CounterRandom.key("flip"), keys[0], keys[1], keys[2])
    return ImageView(
      imageID: imageID, originalWidth: width, originalHeight: height, longSide: longSide,
      shortSide: shortSides[scale.integer(below: shortSides.count)],
      isFlipped: flip.uniform() < flipProbability)
  }
}
