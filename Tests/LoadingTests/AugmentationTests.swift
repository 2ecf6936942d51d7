import Geometry
import Loading
import Testing

@Suite struct AugmentationTests {
  @Test func choicesAreUniformAndRepeatable() {
    let augmentation = Augmentation(
      longSide: 1333, shortSides: [640, 672, 704, 736, 768, 800], flipProbability: 0.5)
    func draw(_ iteration: Int, seed: UInt64 = 3) -> ImageView {
      augmentation.view(
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
      augmentation.view(
        width: 9, height: 9, seed: 1, iteration: $0, slot: 0, imageID: 1
      ).isFlipped
    }
    #expect(!flips.contains(true))
  }
}
