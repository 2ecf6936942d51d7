import Detection
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

  @Test("rows of four floats and back")
  func corners() {
    let corners: [Float] = [1, 2, 3, 4, 5, 6, 7, 8]
    #expect([Box](corners: corners).corners == corners)
  }
}
