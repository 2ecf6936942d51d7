import Tensors

extension BenchCase {
  /// The convolutions of a ResNet-50 with a feature pyramid on an 800x1088 image, every pass.
  static var convolutionCases: [BenchCase] {
    let layers: [(String, inputs: Int, outputs: Int, kernel: Int, stride: Int, map: [Int])] = [
      ("stem_7x7s2_3_64", 3, 64, 7, 2, [800, 1088]),
      ("c2_1x1_64_64", 64, 64, 1, 1, [200, 272]),
      ("c2_3x3_64_64", 64, 64, 3, 1, [200, 272]),
      ("c2_1x1_64_256", 64, 256, 1, 1, [200, 272]),
      ("c2_1x1_256_64", 256, 64, 1, 1, [200, 272]),
      ("c3_3x3s2_128_128", 128, 128, 3, 2, [200, 272]),
      ("c3_1x1s2_256_512", 256, 512, 1, 2, [200, 272]),
      ("c3_3x3_128_128", 128, 128, 3, 1, [100, 136]),
      ("c3_1x1_512_128", 512, 128, 1, 1, [100, 136]),
      ("c4_3x3_256_256", 256, 256, 3, 1, [50, 68]),
      ("c4_1x1_1024_256", 1024, 256, 1, 1, [50, 68]),
      ("c4_1x1_256_1024", 256, 1024, 1, 1, [50, 68]),
      ("c5_3x3_512_512", 512, 512, 3, 1, [25, 34]),
      ("c5_1x1_512_2048", 512, 2048, 1, 1, [25, 34]),
      ("fpn_1x1_256_256", 256, 256, 1, 1, [200, 272]),
      ("fpn_3x3_256_256_p2", 256, 256, 3, 1, [200, 272]),
      ("fpn_3x3_256_256_p3", 256, 256, 3, 1, [100, 136]),
      ("fpn_3x3_256_256_p5", 256, 256, 3, 1, [25, 34]),
    ]
    return layers.flatMap { layer in
      ConvolutionPass.allCases.map {
        convolution(
          layer.0, $0, input: [1] + layer.map + [layer.inputs],
          weight: [layer.outputs, layer.kernel, layer.kernel, layer.inputs], stride: layer.stride)
      }
    }
  }

  private enum ConvolutionPass: String, CaseIterable {
    case forward
    case backwardData = "backward_data"
    case backwardWeight = "backward_weight"
  }

  private static func convolution(
    _ name: String, _ pass: ConvolutionPass, input: [Int], weight: [Int], stride: Int
  ) -> BenchCase {
    let padding = weight[1] / 2
    let map = input[1...2].map { ($0 + 2 * padding - weight[1]) / stride + 1 }
    let output = [input[0], map[0], map[1], weight[0]]
    let (inputs, weights, outputs) = (
      input.reduce(1, *), weight.reduce(1, *), output.reduce(1, *)
    )
    return BenchCase(
      name: "conv/\(name)/\(pass.rawValue)",
      gflop: 2e-9 * Double(outputs) * Double(weight[1] * weight[2] * weight[3]),
      bytes: 4 * Double(inputs + weights + outputs),
      shape: [("input", input), ("weight", weight), ("stride", [stride]), ("padding", [padding])],
      ofActivations: true
    ) { stream in
      var values = BenchValues()
      let scale = 1 / Float(weight[1] * weight[2] * weight[3]).squareRoot()
      let x = try values.activation(input, on: stream)
      let kernel = try values.tensor(weight, scale: scale, on: stream)
      if pass == .forward {
        return { _ = try x.convolution(weight: kernel, stride: stride, padding: padding) }
      }
      let gradient = try values.activation(output, on: stream)
      return {
        if pass == .backwardData {
          _ = try gradient.convolutionInputGradient(
            weight: kernel, input: input, stride: stride, padding: padding)
        } else {
          _ = try gradient.convolutionWeightGradient(
            input: x, weight: weight, stride: stride, padding: padding)
        }
      }
    }
  }
}
