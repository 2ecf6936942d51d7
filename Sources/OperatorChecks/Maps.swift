import Geometry
import Tensors

extension OperatorFamily {
  /// Maps pooled and enlarged, and images as maps.
  static var maps: OperatorFamily {
    let (height, width, channels) = (9, 11, 6)
    let checks: [OperatorCheck] =
      maxPooling([1, height, width, channels]) + [
        OperatorCheck(
          name: "average pooling", operators: ["globalAveragePool"], shapes: [[2, 3, 5, channels]],
          activations: 1, device: { try $0[0].globalAveragePool() },
          host: { x in
            (0..<2 * channels).map { (place: Int) -> Double in
              let first = place / channels * 15 * channels + place % channels
              var sum = 0.0
              for cell in 0..<15 { sum += x[0][first + cell * channels] }
              return sum / 15
            }
          }),
        OperatorCheck(
          name: "upsampling and sum", operators: ["addingUpsampled"],
          shapes: [[1, height, width, channels], [1, 5, 6, channels]], activations: 2,
          device: { try $0[0].addingUpsampled($0[1]) },
          host: { x in
            x[0].indices.map { place in
              let (c, cell) = (place % channels, place / channels)
              let (y, column) = (cell / width * 5 / height, cell % width * 6 / width)
              return x[0][place] + x[1][(y * 6 + column) * channels + c]
            }
          }),
        OperatorCheck(
          name: "image input", operators: ["imageBatch"], shapes: [[1]], tolerance: 1e-5,
          hasGradient: false,
          device: {
            let image = ImageInput(
              pixels: pixels,
              view: ImageView(
                originalWidth: 5, originalHeight: 4, width: 7, height: 3, isFlipped: true))
            return try Tensor.imageBatch(
              [image],
              normalisation: PixelNormalisation(means: [10, 20, 30], deviations: [2, 3, 4]),
              paddedToMultipleOf: 8, on: $0[0].stream)
          },
          host: { _ in
            (0..<8 * 8 * 3).map { place in
              let (c, cell) = (place % 3, place / 3)
              let (y, x) = (cell / 8, cell % 8)
              guard y < 3, x < 7 else { return 0 }
              return (resized[(y * 7 + x) * 3 + c] - Double(10 * (c + 1))) / Double(2 + c)
            }
          }),
        OperatorCheck(
          name: "image input of another network", operators: ["renormalised"], shapes: [[4, 5, 3]],
          hasGradient: false,
          device: {
            try $0[0].renormalised(
              from: PixelNormalisation(means: [10, 20, 30], deviations: [2, 3, 4], isBGR: true),
              to: PixelNormalisation(means: [11, 12, 13], deviations: [5, 6, 7]))
          },
          host: { x in
            x[0].indices.map { (place: Int) -> Double in
              let c = place % 3
              let grey = x[0][place - c + 2 - c] * Double(4 - c) + Double(30 - 10 * c)
              return (grey - Double(11 + c)) / Double(5 + c)
            }
          }),
      ]
    let cases: [BenchCase] = [
      BenchCase.activations("ours/max_pool_64x400x544", [1, 400, 544, 64], passes: 1.25) { x, _ in
        { _ = try x.maxPool(kernel: 3, stride: 2, padding: 1) }
      },
      BenchCase.activations("ours/upsample_256x200x272", [1, 200, 272, 256], passes: 2.25) {
        x, values in
        let top = try values.activation([1, 100, 136, 256], on: x.stream)
        return { _ = try x.addingUpsampled(top) }
      },
      imageInput,
    ]
    return OperatorFamily(checks: checks, cases: cases)
  }

  /// Largest values of windows of 3 x 3, 2 apart.
  ///
  /// Rounded to 16 bits, neighbours are equal here and there, where the largest value has no
  /// derivative.
  private static func maxPooling(_ shape: [Int]) -> [OperatorCheck] {
    let (height, width, channels) = (shape[1], shape[2], shape[3])
    func largest(_ x: [[Double]]) -> [Double] {
      let (rows, columns) = ((height + 1) / 2, (width + 1) / 2)
      return (0..<rows * columns * channels).map { place in
        let (c, cell) = (place % channels, place / channels)
        let (y, column) = (cell / columns * 2 - 1, cell % columns * 2 - 1)
        var best = -Double.infinity
        for iy in max(0, y)..<min(height, y + 3) {
          for ix in max(0, column)..<min(width, column + 3) {
            best = max(best, x[0][(iy * width + ix) * channels + c])
          }
        }
        return best
      }
    }
    return [
      OperatorCheck(
        name: "max pooling", operators: ["maxPool"], shapes: [shape],
        device: { try $0[0].maxPool(kernel: 3, stride: 2, padding: 1) }, host: largest),
      OperatorCheck(
        name: "max pooling, forward", operators: ["maxPool"], shapes: [shape], hasGradient: false,
        activations: 1,
        device: { try $0[0].maxPool(kernel: 3, stride: 2, padding: 1) }, host: largest),
    ]
  }

  /// An image of 5x4.
  private static let pixels: [UInt8] = (0..<60).map { UInt8($0 * 37 % 251) }

  /// What OpenCV 4.11 makes of it: resized to 7x3 by INTER_LINEAR and mirrored.
  private static let resized: [Double] = [
    202, 197, 25, 138, 157, 105, 119, 96, 133, 189, 17, 54, 139, 117, 154, 72, 109, 146, 9, 46, 83,
    147, 59, 96, 155, 138, 104, 130, 167, 114, 51, 88, 125, 151, 98, 135, 143, 108, 145, 80, 117,
    154, 92, 129, 166, 172, 89, 103, 200, 88, 95, 121, 158, 195, 72, 79, 116, 94, 107, 144, 150,
    187, 224,
  ]

  private static var imageInput: BenchCase {
    let pixels = 3 * 640 * 480
    return BenchCase(
      name: "ours/image_input_640x480_to_1067x800", gflop: nil,
      bytes: Double(pixels) + 12 * 1088 * 800, shape: [("pixels", [480, 640, 3])]
    ) { stream in
      let image = ImageInput(
        pixels: (0..<pixels).map { UInt8(truncatingIfNeeded: $0 &* 31) },
        view: ImageView(originalWidth: 640, originalHeight: 480, width: 1067, height: 800))
      let norm = PixelNormalisation(
        means: [123.675, 116.28, 103.53], deviations: [58.395, 57.12, 57.375])
      return { _ = try Tensor.imageBatch([image], normalisation: norm, on: stream) }
    }
  }
}
