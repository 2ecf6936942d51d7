import Geometry
import Masks
import TestSupport

@testable import Evaluation

/// Detections made from a ground truth by a fixed rule, so that other programs can be given the same.
///
/// Each annotation in file order is repeated one to three times, moved by up to 4 pixels, one time in
/// eight by up to 16, one time in eight with another class, and with a score in steps of 1/64, so that
/// scores tie. Crowds are repeated like any other annotation.
struct MovedMasks {
  private(set) var boxes: [DetectionResult] = []
  private(set) var masks: [RunLengthMask] = []

  private struct Generator {
    private var state: UInt64 = 7

    mutating func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 32) % bound
    }
  }

  init(_ truth: GroundTruth) throws {
    var generator = Generator()
    for (index, annotation) in truth.annotations.enumerated() {
      let frame = truth.frame(ofImage: annotation.imageID)
      let mask = try truth.masks.mask(at: index, in: frame, of: truth.source)
      for _ in 0...generator.next(3) {
        var (right, down) = (generator.next(9) - 4, generator.next(9) - 4)
        let kind = generator.next(8)
        var category = annotation.categoryID
        if kind == 0 { (right, down) = (4 * right, 4 * down) }
        if kind == 1 { category = truth.categories[generator.next(truth.categories.count)].id }
        let score = Double(1 + generator.next(64)) / 64
        let place = annotation.box
        let box = FileBox(
          x: place.x1 + Double(right), y: place.y1 + Double(down), width: place.width,
          height: place.height)
        boxes.append(
          DetectionResult(imageID: annotation.imageID, categoryID: category, box: box, score: score)
        )
        masks.append(try Self.moved(mask, right: right, down: down))
      }
    }
  }

  func results() throws -> DetectionResults {
    try DetectionResults(source: "moved", boxes: boxes, masks: masks)
  }

  /// The mask moved inside its picture; what leaves it is cut off.
  static func moved(_ mask: RunLengthMask, right: Int, down: Int) throws -> RunLengthMask {
    let pixels = mask.bitmap()
    let bounds = mask.bounds
    var result = [UInt8](repeating: 0, count: pixels.count)
    for y in bounds.y1..<bounds.y2 where (0..<mask.height).contains(y + down) {
      for x in bounds.x1..<bounds.x2 where (0..<mask.width).contains(x + right) {
        result[(y + down) * mask.width + x + right] = pixels[y * mask.width + x]
      }
    }
    return try RunLengthMask(width: mask.width, height: mask.height, bitmap: result)
  }
}
