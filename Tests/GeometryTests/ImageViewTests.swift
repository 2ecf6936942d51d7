import Geometry
import Testing

@Suite struct ImageViewTests {
  @Test(arguments: [
    (640, 480, 800, 1067, 800), (640, 480, 640, 853, 640), (640, 427, 800, 1199, 800),
    (1000, 200, 800, 1333, 267), (480, 640, 800, 800, 1067), (1, 1000, 800, 1, 1333),
  ])
  func sizesAreTheSpecifications(width: Int, height: Int, short: Int, newWidth: Int, newHeight: Int)
  {
    let view = ImageView(
      originalWidth: width, originalHeight: height, longSide: 1333, shortSide: short)
    #expect(view.width == newWidth && view.height == newHeight)
  }

  @Test func boxesAreScaledClippedAndFlipped() {
    let plain = ImageView(originalWidth: 10, originalHeight: 20, width: 20, height: 60)
    let flipped = ImageView(
      originalWidth: 10, originalHeight: 20, width: 20, height: 60, isFlipped: true)
    let box = Box(x1: -1, y1: 2, x2: 4, y2: 25)
    #expect(plain.visible(box) == Box(x1: 0, y1: 6, x2: 8, y2: 60))
    #expect(flipped.visible(box) == Box(x1: 12, y1: 6, x2: 20, y2: 60))
  }

  @Test(arguments: [false, true])
  func theWayBackIsExactOnALongPicture(isFlipped: Bool) {
    let view = ImageView(
      originalWidth: 901, originalHeight: 300, longSide: 1333, shortSide: 800,
      isFlipped: isFlipped)
    let box = Box(x1: 13.5, y1: 2.25, x2: 800, y2: 299)
    let back = view.original(view.resized(box))
    let errors = [back.x1 - box.x1, back.y1 - box.y1, back.x2 - box.x2, back.y2 - box.y2]
    #expect(errors.allSatisfy { abs($0) < 1e-3 })
  }

  @Test func sidesAreFilledUpToTheUnit() {
    let view = ImageView(originalWidth: 7, originalHeight: 9, width: 65, height: 64)
    #expect(view.padded() == PixelBlock(x: 0, y: 0, width: 96, height: 64))
    #expect(view.padded(to: 1) == PixelBlock(x: 0, y: 0, width: 65, height: 64))
    let own = ImageView(width: 3, height: 5)
    #expect(own.originalWidth == 3 && own.originalHeight == 5 && own.scaleX == 1)
  }
}
