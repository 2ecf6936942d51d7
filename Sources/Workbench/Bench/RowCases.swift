import Tensors

extension BenchCase {
  /// Operators that read and write each element once.
  static var rowCases: [BenchCase] {
    [
      activations("rows/layer_norm_1600x768", [1600, 768], passes: 2) { x, values in
        let weight = try values.tensor([768], on: x.stream)
        let bias = try values.tensor([768], on: x.stream)
        return { _ = try x.layerNorm(weight: weight, bias: bias) }
      },
      activations("rows/quick_gelu_1600x3072", [1600, 3072], passes: 2) { x, _ in
        { _ = try x.quickGELU() }
      },
      activations(
        "rows/affine_add_relu_256x200x272", [1, 200, 272, 256], passes: 3,
        note: "the factors come from frozen statistics within the call"
      ) { x, values in
        let residual = try values.activation(x.shape, on: x.stream)
        let rows = try (0..<3).map { _ in try values.tensor([256], on: x.stream) }
        let variance = try Tensor(repeating: 1, shape: [256], on: x.stream)
        return {
          _ = try x.frozenBatchNorm(
            weight: rows[0], bias: rows[1], runningMean: rows[2], runningVariance: variance,
            residual: residual, relu: true)
        }
      },
      elementwise("rows/copy_64MiB", [1 << 24], passes: 2) { x, _ in { _ = try x.copied() } },
      elementwise("rows/sgd_momentum_41M", [41_000_000], passes: 5) { x, _ in
        let gradient = try Tensor(repeating: 1e-3, shape: x.shape, on: x.stream)
        let momentum = try Tensor(repeating: 0, shape: x.shape, on: x.stream)
        return {
          try Optimizers.sgd(
            parameter: x, gradient: gradient, momentum: momentum, rate: 1e-5, momentumFactor: 0.9,
            weightDecay: 1e-4)
        }
      },
    ]
  }

  /// The same for an operator on activations.
  static func activations(
    _ name: String, _ shape: [Int], passes: Double, note: String? = nil,
    prepare: @escaping (Tensor, inout BenchValues) throws -> () throws -> Void
  ) -> BenchCase {
    var result = elementwise(name, shape, passes: passes, note: note) { x, values in
      try prepare(try x.asActivation(), &values)
    }
    result.ofActivations = true
    return result
  }

  /// A case that reads or writes `passes` tensors of one shape.
  static func elementwise(
    _ name: String, _ shape: [Int], passes: Double, note: String? = nil,
    prepare: @escaping (Tensor, inout BenchValues) throws -> () throws -> Void
  ) -> BenchCase {
    BenchCase(
      name: name, gflop: nil, bytes: 4 * passes * Double(shape.reduce(1, *)),
      shape: [("x", shape)], note: note
    ) { stream in
      var values = BenchValues()
      let x = try values.tensor(shape, on: stream)
      return try prepare(x, &values)
    }
  }
}
