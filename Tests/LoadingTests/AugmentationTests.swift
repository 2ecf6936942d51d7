import Geometry
import Loading
import Testing

@Suite struct AugmentationTests {
  @Test(arguments: [
    (640, 480, 800, 1067, 800), (640, 480, 640, 853, 640), (640, 427, 800, 1199, 800),
    (1000, 200, 800, 1333, 267), (480, 640, 800, 800, 1067), (1, 1000, 800, 1, 1333),
  ])
  func sizesAreTheSpecifications(width: Int, height: Int, short: Int, newWidth: Int, newHeight: Int)
  {
    let transform = ImageTransform(
      originalWidth: width, originalHeight: height, longSide: 1333, shortSide: short)
    #expect(transform.width == newWidth && transform.height == newHeight)
  }

  @Test func boxesAreScaledClippedAndFlipped() {
    let plain = ImageTransform(originalWidth: 10, originalHeight: 20, width: 20, height: 60)
    let flipped = ImageTransform(
      originalWidth: 10, originalHeight: 20, width: 20, height: 60, isFlipped: true)
    let box = BoundingBox(x1: -1, y1: 2, x2: 4, y2: 25)
    #expect(plain.resized(box) == BoundingBox(x1: 0, y1: 6, x2: 8, y2: 60))
    #expect(flipped.resized(box) == BoundingBox(x1: 12, y1: 6, x2: 20, y2: 60))
  }

  @Test(arguments: [false, true])
  func theWayBackIsExactOnALongPicture(isFlipped: Bool) {
    let transform = ImageTransform(
      originalWidth: 901, originalHeight: 300, longSide: 1333, shortSide: 800,
      isFlipped: isFlipped)
    let box = BoundingBox(x1: 13.5, y1: 2.25, x2: 800, y2: 299)
    let back = transform.original(transform.resized(box))
    let errors = [back.x1 - box.x1, back.y1 - box.y1, back.x2 - box.x2, back.y2 - box.y2]
    #expect(errors.allSatisfy { abs($0) < 1e-3 })
  }

  @Test func choicesAreUniformAndRepeatable() {
    let augmentation = Augmentation(
      longSide: 1333, shortSides: [640, 672, 704, 736, 768, 800], flipProbability: 0.5)
    func draw(_ iteration: Int, seed: UInt64 = 3) -> ImageTransform {
      augmentation.transform(
        width: 640, height: 640, seed: seed, iteration: iteration, slot: 1, imageID: 5)
    }
    let drawn = (0..<6000).map { draw($0) }
    #expect(drawn == (0..<6000).map { draw($0) })
    #expect(drawn != (0..<6000).map { draw($0, seed: 4) })
    // Six standard deviations of a binomial count.
    for short in augmentation.shortSides {
      #expect(abs(drawn.count { $0.height == short } - 1000) < 175)
    }
    #expect(abs(drawn.count { $0.isFlipped } - 3000) < 235)
  }

  @Test func noFlipMeansNoFlip() {
    let augmentation = Augmentation(longSide: 100, shortSides: [50], flipProbability: 0)
    let flips = (0..<200).map {
      augmentation.transform(
        width: 9, height: 9, seed: 1, iteration: $0, slot: 0, imageID: 1
      ).isFlipped
    }
    #expect(!flips.contains(true))
  }
}
