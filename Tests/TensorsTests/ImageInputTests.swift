import Formats
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

  /// One picture that OpenCV resized, and mirrored where asked.
  private struct Resized {
    let image: ImageInput
    /// Bytes `[h, w, 3]`; nil for large pictures.
    let bytes: [Int32]?
    /// Of the bytes; nil for small pictures.
    let digest: String?

    /// The cases of `Tests/Peers/resize_opencv.py`.
    static func all() throws -> [Resized] {
      let fixture = try Fixture(ofRepository: "resize_opencv")
      return try (fixture.params["cases"]?.array ?? []).enumerated().map { seed, entry in
        func size(_ key: String) throws -> Int { try #require(entry[key]?.integer) }
        let view = ImageView(
          originalWidth: try size("width"), originalHeight: try size("height"),
          width: try size("new_width"), height: try size("new_height"),
          isFlipped: try size("mirrored") == 1)
        let digest = entry["sha256"]?.string
        return Resized(
          image: ImageInput(pixels: picture(view, seed: seed), view: view),
          bytes: try digest == nil ? fixture.integers("\(seed)") : nil, digest: digest)
      }
    }

    /// Bytes that look random, by the formula of the script.
    private static func picture(_ view: ImageView, seed: Int) -> [UInt8] {
      (0..<UInt32(3 * view.originalWidth * view.originalHeight)).map { place in
        var value = (place &+ UInt32(seed * 7919)) &* 2_654_435_761
        value ^= value >> 15
        return UInt8((value &* 2_246_822_519) >> 24)
      }
    }
  }

  @Test("every pixel is OpenCV's", arguments: TestDevice.families)
  func resized(family: DeviceFamily) throws {
    let cases = try Resized.all()
    #expect(cases.count(where: { $0.bytes != nil }) >= 30)
    #expect(cases.count(where: { $0.digest != nil }) >= 8)
    try TestDevice.withStream(family) { stream in
      for wanted in cases {
        let view = wanted.image.view
        let batch = try Tensor.imageBatch(
          [wanted.image], normalisation: Self.plain, paddedToMultipleOf: 1, on: stream)
        #expect(batch.shape == [1, view.height, view.width, 3])
        let got = try batch.floats()
        if let bytes = wanted.bytes {
          let others = zip(got, bytes).count(where: { $0 != Float($1) })
          #expect(others == 0 && got.count == bytes.count, "\(view)")
        } else {
          var digest = SHA256()
          got.map { UInt8(exactly: $0) ?? 0 }.withUnsafeBytes { digest.update($0) }
          #expect(digest.hexadecimal() == wanted.digest, "\(view)")
        }
      }
    }
  }

  @Test("images of several sizes lie in one batch, zeros around", arguments: TestDevice.families)
  func padded(family: DeviceFamily) throws {
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
      for (index, image) in images.enumerated() {
        let view = image.view
        let alone = try Tensor.imageBatch(
          [image], normalisation: Self.plain, paddedToMultipleOf: 1, on: stream
        ).floats()
        for place in 0..<40 * 32 * 3 {
          let (row, column) = (place / 96, place % 96)
          let isInside = row < view.height && column < 3 * view.width
          let wanted = isInside ? alone[row * 3 * view.width + column] : 0
          #expect(got[index * 40 * 96 + place] == wanted, "\(index) \(row) \(column)")
        }
      }
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
