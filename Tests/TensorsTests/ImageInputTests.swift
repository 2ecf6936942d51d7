import Geometry
import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Image input")
struct ImageInputTests {
  static let plain = PixelNormalisation(means: [0, 0, 0], deviations: [1, 1, 1])

  private func randomImage(
    _ width: Int, _ height: Int, to size: (width: Int, height: Int), isFlipped: Bool = false,
    seed: UInt64
  ) -> ImageInput {
    ImageInput(
      pixels: randomFloats(3 * width * height, seed: seed, in: 0...255).map { UInt8($0) },
      view: ImageView(
        originalWidth: width, originalHeight: height, width: size.width, height: size.height,
        isFlipped: isFlipped))
  }

  /// The grey level of one channel at a place of the resized image, in float64 and not rounded.
  private func grey(_ image: ImageInput, _ row: Int, _ column: Int, _ channel: Int) -> Double {
    func tap(_ index: Int, _ source: Int, _ target: Int) -> (Int, Double) {
      let position = (Double(index) + 0.5) * Double(source) / Double(target) - 0.5
      let clamped = min(max(position, 0), Double(source - 1))
      return (Int(clamped), clamped - Double(Int(clamped)))
    }
    let view = image.view
    let place = view.isFlipped ? view.width - 1 - column : column
    let (y, down) = tap(row, view.originalHeight, view.height)
    let (x, across) = tap(place, view.originalWidth, view.width)
    func pixel(_ y: Int, _ x: Int) -> Double {
      let (y, x) = (min(y, view.originalHeight - 1), min(x, view.originalWidth - 1))
      return Double(image.pixels[3 * (y * view.originalWidth + x) + channel])
    }
    let upper = pixel(y, x) * (1 - across) + pixel(y, x + 1) * across
    let lower = pixel(y + 1, x) * (1 - across) + pixel(y + 1, x + 1) * across
    return upper * (1 - down) + lower * down
  }

  @Test("resized, mirrored and padded", arguments: TestDevice.families)
  func resized(family: DeviceFamily) throws {
    let images = [
      randomImage(13, 9, to: (29, 17), seed: 1),
      randomImage(31, 40, to: (11, 33), isFlipped: true, seed: 2),
      randomImage(1, 1, to: (3, 2), seed: 3),
      randomImage(20, 16, to: (20, 16), isFlipped: true, seed: 4),
    ]
    try TestDevice.withStream(family) { stream in
      let batch = try Tensor.imageBatch(
        images, normalisation: Self.plain, paddedToMultipleOf: 8, on: stream)
      #expect(batch.shape == [4, 40, 32, 3])
      let got = try batch.floats()
      var worst = 0.0
      for (index, image) in images.enumerated() {
        for row in 0..<40 {
          for column in 0..<32 {
            let isInside = row < image.view.height && column < image.view.width
            for channel in 0..<3 {
              let value = Double(got[((index * 40 + row) * 32 + column) * 3 + channel])
              let wanted = isInside ? grey(image, row, column, channel) : 0
              #expect(value == value.rounded())
              worst = max(worst, abs(value - wanted))
            }
          }
        }
      }
      // Half a level of rounding, and weights of 11 bits: 2 * 255 / 4096 of a level.
      #expect(worst <= 0.5 + 0.13)
    }
  }

  @Test("an image of its own size passes unchanged, normalised", arguments: TestDevice.families)
  func normalised(family: DeviceFamily) throws {
    let image = randomImage(32, 7, to: (32, 7), seed: 5)
    let normalisation = PixelNormalisation(
      means: [103.5, 116.25, 123.75], deviations: [57, 58.5, 2], isBGR: true)
    try TestDevice.withStream(family) { stream in
      let batch = try Tensor.imageBatch(
        [image], normalisation: normalisation, paddedToMultipleOf: 1, on: stream)
      let wanted = image.pixels.indices.map { index -> Double in
        let channel = index % 3
        return
          (Double(image.pixels[index - channel + 2 - channel])
          - Double(normalisation.means[channel])) / Double(normalisation.deviations[channel])
      }
      expectClose(try batch.floats(), wanted, "BGR input")
    }
  }

  @Test("one network's input becomes another's", arguments: TestDevice.families)
  func renormalised(family: DeviceFamily) throws {
    let image = randomImage(33, 31, to: (33, 31), seed: 6)
    let clip = PixelNormalisation(means: [122.8, 116.7, 104.1], deviations: [68.5, 66.6, 70.3])
    let detectors = [
      PixelNormalisation(means: [123.7, 116.3, 103.5], deviations: [58.4, 57.1, 57.4]),
      PixelNormalisation(means: [103.5, 116.3, 123.7], deviations: [1, 1, 1], isBGR: true),
    ]
    try TestDevice.withStream(family) { stream in
      let wanted = try Tensor.imageBatch(
        [image], normalisation: clip, paddedToMultipleOf: 1, on: stream
      ).floats()
      for detector in detectors {
        let input = try Tensor.imageBatch(
          [image], normalisation: detector, paddedToMultipleOf: 1, on: stream)
        expectClose(
          try input.renormalised(from: detector, to: clip).floats(), wanted, "crop source")
      }
    }
  }
}
