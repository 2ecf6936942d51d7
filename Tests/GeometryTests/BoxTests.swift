import Geometry
import Testing

@Suite("Boxes")
struct BoxTests {
  @Test("overlap, IoU and clipping")
  func geometry() {
    let box = Box(x1: 0, y1: 0, x2: 4, y2: 2)
    let other = Box(x1: 2, y1: 0, x2: 6, y2: 2)
    #expect(box.area == 8)
    #expect(box.overlap(with: other) == 4)
    #expect(box.iou(with: other) == Float(4) / 12)
    #expect(box.iou(with: Box(x1: 4, y1: 2, x2: 9, y2: 9)) == 0)
    #expect(
      Box(x1: -1, y1: 1, x2: 9, y2: 3).clipped(width: 5, height: 2)
        == Box(x1: 0, y1: 1, x2: 5, y2: 2))
    let empty = Box(x1: 1, y1: 1, x2: 1, y2: 1)
    #expect(empty.iou(with: empty) == 0)
  }

  @Test("a box is enlarged about its centre and cut at the border")
  func enlarging() {
    let box = Box(x1: 20, y1: 40, x2: 60, y2: 50)
    #expect(box.enlarged(by: 2, width: 100, height: 90) == Box(x1: 0, y1: 35, x2: 80, y2: 55))
    #expect(box.enlarged(by: 2, width: 75, height: 52) == Box(x1: 0, y1: 35, x2: 75, y2: 52))
    #expect(box.enlarged(by: 1, width: 30, height: 30) == box)
  }

  @Test("rows of four floats and back")
  func corners() {
    let corners: [Float] = [1, 2, 3, 4, 5, 6, 7, 8]
    #expect([Box](corners: corners).corners == corners)
  }

  @Test("a file's numbers and a tensor's corners are kept as they came")
  func precision() {
    // 0.1 + 0.2 is not 0.3, and 0.3 - 0.1 is not 0.2.
    let file = FileBox(x: 0.1, y: 0.1, width: 0.2, height: 0.2)
    #expect(file.numbers == [0.1, 0.1, 0.2, 0.2])
    #expect(file.x2 == 0.1 + 0.2 && file.area == 0.2 * 0.2)
    let box = Box(x1: 0.1, y1: 0.1, x2: 0.3, y2: 0.3)
    #expect(box.x2 == 0.3 && box.width == Float(0.3) - Float(0.1))
    #expect(Box(file) == Box(x1: 0.1, y1: 0.1, x2: Float(0.1 + 0.2), y2: Float(0.1 + 0.2)))
    #expect(FileBox(box).width == Double(box.width) && FileBox(box).x1 == Double(box.x1))
  }

  @Test("scaling takes the numbers that are kept")
  func scaling() {
    let box = Box(x1: 1, y1: 2, x2: 4, y2: 8).scaled(x: 2, y: 0.5)
    #expect(box == Box(x1: 2, y1: 1, x2: 8, y2: 4))
    let file = FileBox(x: 1, y: 2, width: 3, height: 6).scaled(x: 2, y: 0.5)
    #expect(file == FileBox(x: 2, y: 1, width: 6, height: 3))
  }

  @Test("blocks of pixels meet where they share a pixel")
  func blocks() {
    let block = PixelBlock(x: 2, y: 1, width: 3, height: 4)
    #expect(block.x2 == 5 && block.y2 == 5 && block.area == 12)
    #expect(block.overlap(with: PixelBlock(x: 4, y: 4, width: 9, height: 9)) == 1)
    #expect(block.overlap(with: PixelBlock(x: 5, y: 1, width: 1, height: 1)) == 0)
  }

  @Test("regions name their image")
  func regions() {
    let box = Box(x1: 1, y1: 2, x2: 3, y2: 4)
    #expect([Region]([[], [box], [box, box]]).map(\.image) == [1, 2, 2])
  }
}
