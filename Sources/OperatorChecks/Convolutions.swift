import Tensors

extension OperatorFamily {
  /// The convolutions of a ResNet-50 with a feature pyramid on an 800x1088 image, every pass.
  static var convolutions: OperatorFamily {
    OperatorFamily(checks: checks + gradientChecks, cases: cases)
  }

  private static var checks: [OperatorCheck] {
    let problems: [(String, HostReference.Convolution)] = [
      ("convolution 1x1", .init([1, 6, 5, 19], to: 18, kernel: [1, 1])),
      ("convolution 3x3", .init([1, 7, 9, 5], to: 17, kernel: [3, 3], padding: 1)),
      (
        "convolution 7x7 stride 2",
        .init([1, 13, 11, 3], to: 8, kernel: [7, 7], stride: 2, padding: 3)
      ),
      (
        "convolution dilated",
        .init([1, 9, 8, 4], to: 6, kernel: [3, 3], stride: 2, padding: 2, dilation: 2)
      ),
      (
        "convolution 3x3, 64 channels", .init([1, 24, 24, 64], to: 64, kernel: [3, 3], padding: 1)
      ),
    ]
    // The last form twice: by Winograd's algorithm and directly, to see both errors.
    let named = problems.map { (name: $0.0, problem: $0.1, direct: false) }
    let direct = named.suffix(1).map {
      (name: $0.name + ", direct", problem: $0.problem, direct: true)
    }
    return (named + direct).map { name, problem, direct in
      OperatorCheck(
        name: name, operators: ["convolution"],
        shapes: [problem.input, problem.weight, [problem.weight[0]]], activations: 1,
        device: {
          try $0[0].convolution(
            weight: $0[1], bias: $0[2], stride: problem.stride, padding: problem.padding,
            dilation: problem.dilation, direct: direct)
        },
        host: { x in problem(x[0], x[1]).enumerated().map { $1 + x[2][$0 % x[2].count] } })
    }
  }

  /// Both gradients on their own.
  private static var gradientChecks: [OperatorCheck] {
    let problem = HostReference.Convolution(
      [1, 9, 8, 5], to: 7, kernel: [3, 3], stride: 2, padding: 1)
    let (input, weight) = (problem.input, problem.weight)
    let nothing = [input, weight].map { [Double](repeating: 0, count: $0.reduce(1, *)) }
    return [
      OperatorCheck(
        name: "convolution, gradient of the input", operators: ["convolutionInputGradient"],
        shapes: [problem.result, weight], hasGradient: false, activations: 1,
        device: {
          try $0[0].convolutionInputGradient(weight: $0[1], input: input, stride: 2, padding: 1)
        }, host: { problem.gradients(nothing[0], $0[1], of: $0[0]).x }),
      OperatorCheck(
        name: "convolution, gradient of the weight", operators: ["convolutionWeightGradient"],
        shapes: [problem.result, input], hasGradient: false, activations: 2,
        device: {
          try $0[0].convolutionWeightGradient(input: $0[1], weight: weight, stride: 2, padding: 1)
        }, host: { problem.gradients($0[1], nothing[1], of: $0[0]).weight }),
    ]
  }

  private static var cases: [BenchCase] {
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

extension HostReference {
  /// A convolution of `[N, H, W, I]` with weights `[O, KH, KW, I]`, and its gradients.
  package struct Convolution: Sendable, CustomStringConvertible {
    /// `[N, H, W, I]`.
    package let input: [Int]
    /// `[O, KH, KW, I]`.
    package let weight: [Int]
    package let stride, padding, dilation: Int

    /// A convolution of an input `[N, H, W, I]` with a kernel of so many rows and columns.
    package init(
      _ input: [Int], to outputs: Int, kernel: [Int], stride: Int = 1, padding: Int = 0,
      dilation: Int = 1
    ) {
      self.input = input
      weight = [outputs] + kernel + [input[3]]
      (self.stride, self.padding, self.dilation) = (stride, padding, dilation)
    }

    package var description: String {
      "\(input) with \(weight), stride \(stride) padding \(padding) dilation \(dilation)"
    }

    /// The result's shape `[N, H', W', O]`.
    package var result: [Int] {
      func out(_ axis: Int) -> Int {
        (input[axis] + 2 * padding - dilation * (weight[axis] - 1) - 1) / stride + 1
      }
      return [input[0], out(1), out(2), weight[0]]
    }

    /// The result without a bias.
    package func callAsFunction(_ x: [Double], _ weight: [Double]) -> [Double] {
      var y = [Double](repeating: 0, count: result.reduce(1, *))
      visit { output, from, at in
        for input in 0..<self.weight[3] { y[output] += x[from + input] * weight[at + input] }
      }
      return y
    }

    /// The gradients of input and weight where `gradient` is that of the result.
    package func gradients(
      _ x: [Double], _ weight: [Double], of gradient: [Double]
    ) -> (x: [Double], weight: [Double]) {
      var gradients = (
        x: [Double](repeating: 0, count: x.count),
        weight: [Double](repeating: 0, count: weight.count)
      )
      visit { output, from, at in
        for input in 0..<self.weight[3] {
          gradients.x[from + input] += gradient[output] * weight[at + input]
          gradients.weight[at + input] += gradient[output] * x[from + input]
        }
      }
      return gradients
    }

    /// Every element of the result with the first channels of input and weight that it reads.
    private func visit(_ body: (_ output: Int, _ input: Int, _ weight: Int) -> Void) {
      let shape = result
      for position in 0..<shape[0] * shape[1] * shape[2] {
        let image = position / shape[2] / shape[1]
        let (oy, ox) = (position / shape[2] % shape[1], position % shape[2])
        for tap in 0..<weight[1] * weight[2] {
          let iy = oy * stride - padding + tap / weight[2] * dilation
          let ix = ox * stride - padding + tap % weight[2] * dilation
          guard (0..<input[1]).contains(iy), (0..<input[2]).contains(ix) else { continue }
          let from = ((image * input[1] + iy) * input[2] + ix) * input[3]
          for output in 0..<shape[3] {
            body(
              position * shape[3] + output, from,
              (output * weight[1] * weight[2] + tap) * weight[3])
          }
        }
      }
    }
  }
}
