import Foundation
import Tensors

extension OperatorFamily {
  /// Normalisation of channels and of rows.
  static var norms: OperatorFamily {
    let (rows, width) = (23, 20)
    func statistics(_ stream: ComputeStream) throws -> (Tensor, Tensor) {
      (
        try Tensor(repeating: 0.25, shape: [width], on: stream),
        try Tensor(repeating: 2, shape: [width], on: stream)
      )
    }
    func affine(_ x: [[Double]], _ normal: [Double]) -> [Double] {
      normal.enumerated().map { $1 * x[1][$0 % width] + x[2][$0 % width] }
    }
    func normalised(_ x: [[Double]], momentum: Double?) -> [Double] {
      BatchNormReference(
        x[0], residual: nil, weight: x[1], bias: x[2],
        mean: [Double](repeating: 0.25, count: width),
        variance: [Double](repeating: 2, count: width), momentum: momentum, epsilon: 1e-5
      ).output
    }
    let shapes = [[rows, width], [width], [width]]
    let checks: [OperatorCheck] = [
      OperatorCheck(
        name: "batch norm, training", operators: ["batchNorm"], shapes: shapes, tolerance: 5e-4,
        activations: 1,
        device: {
          let (mean, variance) = try statistics($0[0].stream)
          return try $0[0].batchNorm(
            weight: $0[1], bias: $0[2], runningMean: mean, runningVariance: variance)
        },
        host: { normalised($0, momentum: 0.1) }),
      OperatorCheck(
        name: "batch norm of a convolution", operators: ["columnStatistics"],
        shapes: [[1, 6, 5, 8], [width], [width], [width, 1, 1, 8]], tolerance: 5e-4,
        activations: 1,
        device: {
          let (mean, variance) = try statistics($0[0].stream)
          let columns = try $0[0].columnStatistics(runningMean: mean, runningVariance: variance)
          return try $0[0].convolution(weight: $0[3], statistics: columns).batchNorm(
            weight: $0[1], bias: $0[2], runningMean: mean, runningVariance: variance,
            columns: columns)
        },
        host: { x in
          let map = HostReference.product(
            x[0], HostReference.transposed(x[3], width, 8), 30, 8, width)
          return normalised([map, x[1], x[2]], momentum: 0.1)
        }),
      OperatorCheck(
        name: "batch norm, frozen", operators: ["frozenBatchNorm"], shapes: shapes, activations: 1,
        device: {
          let (mean, variance) = try statistics($0[0].stream)
          return try $0[0].frozenBatchNorm(
            weight: $0[1], bias: $0[2], runningMean: mean, runningVariance: variance)
        }, host: { normalised($0, momentum: nil) }),
      OperatorCheck(
        name: "layer norm", operators: ["layerNorm"], shapes: shapes, tolerance: 5e-4,
        activations: 1, device: { try $0[0].layerNorm(weight: $0[1], bias: $0[2]) },
        host: { x in affine(x, HostReference.rows(x[0], width) { HostReference.standardised($0) }) }
      ),
      OperatorCheck(
        name: "softmax", operators: ["softmax"], shapes: [[rows, width]], range: -4...4,
        device: { try $0[0].softmax() },
        host: { HostReference.rows($0[0], width) { HostReference.softmax($0) } }),
      OperatorCheck(
        name: "log-softmax", operators: ["logSoftmax"], shapes: [[rows, width]], range: -4...4,
        device: { try $0[0].logSoftmax() },
        host: { HostReference.rows($0[0], width) { HostReference.logSoftmax($0) } }),
      OperatorCheck(
        name: "unit rows", operators: ["l2Normalized"], shapes: [[rows, width]],
        device: { try $0[0].l2Normalized() },
        host: { HostReference.rows($0[0], width) { HostReference.unit($0) } }),
    ]
    let cases: [BenchCase] = [
      BenchCase.elementwise("ours/softmax_1024x1204", [1024, 1204], passes: 2) { x, _ in
        { _ = try x.softmax() }
      },
      BenchCase.activations(
        "ours/batch_norm_64x400x544/forward_backward", [1, 400, 544, 64], passes: 6,
        prepare: batchNorm),
      BenchCase.activations("rows/layer_norm_1600x768", [1600, 768], passes: 2) { x, values in
        let weight = try values.tensor([768], on: x.stream)
        let bias = try values.tensor([768], on: x.stream)
        return { _ = try x.layerNorm(weight: weight, bias: bias) }
      },
      BenchCase.activations(
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
    ]
    return OperatorFamily(checks: checks, cases: cases)
  }

  private static func batchNorm(
    _ x: Tensor, _ values: inout BenchValues
  ) throws -> () throws -> Void {
    let channels = [64]
    let rows = try ["weight", "bias"].map {
      try Tensor(repeating: 1, shape: channels, on: x.stream).trained($0)
    }
    let statistics = try (0..<2).map { _ in
      try Tensor(repeating: 1, shape: channels, on: x.stream)
    }
    let gradient = try values.activation(x.shape, on: x.stream)
    let leaf = x.trained("input")
    return {
      for leaf in rows + [leaf] { leaf.node?.clearGradient() }
      try leaf.batchNorm(
        weight: rows[0], bias: rows[1], runningMean: statistics[0],
        runningVariance: statistics[1], relu: true
      ).backward(from: gradient)
    }
  }
}

/// Batch norm with an added tensor, ReLU and all gradients in float64.
package struct BatchNormReference {
  package private(set) var output: [Double]
  /// Gradients of the input, the added tensor, weight and bias.
  package private(set) var input: [Double]
  package private(set) var residual: [Double]
  package private(set) var weight: [Double]
  package private(set) var bias: [Double]
  /// The running statistics afterwards.
  package private(set) var mean: [Double]
  package private(set) var variance: [Double]

  /// Computes all of it.
  ///
  /// - Parameters:
  ///   - x: `[rows, C]`.
  ///   - residual: What is added before ReLU, `[rows, C]`.
  ///   - weight: `[C]`; `bias`, `mean` and `variance` too.
  ///   - momentum: Share of the batch in the running statistics; nil normalises by these.
  ///   - epsilon: Added to the variance.
  ///   - gradient: Of the output; nil stands for zeros.
  ///   - passes: Whether ReLU lets an element's gradient through: near 0 this hangs on rounding.
  ///   - relu: Whether negative results become 0.
  package init(
    _ x: [Double], residual added: [Double]?, weight: [Double], bias: [Double], mean: [Double],
    variance: [Double], momentum: Double?, epsilon: Double, gradient: [Double]? = nil,
    passes: (Int) -> Bool = { _ in true }, relu: Bool = false
  ) {
    let channels = weight.count
    let rows = x.count / channels
    let gradient = gradient ?? [Double](repeating: 0, count: x.count)
    residual = gradient.enumerated().map { passes($0) ? $1 : 0 }
    (output, input, self.mean, self.variance) = (x, x, mean, variance)
    (self.weight, self.bias) = (weight, bias)
    for c in 0..<channels {
      let at = stride(from: c, to: x.count, by: channels)
      var (centre, spread) = (mean[c], variance[c])
      if let momentum {
        centre = at.reduce(0) { $0 + x[$1] } / Double(rows)
        let squares = at.reduce(0) { $0 + (x[$1] - centre) * (x[$1] - centre) }
        spread = squares / Double(rows)
        self.mean[c] += momentum * (centre - mean[c])
        self.variance[c] += momentum * (squares / Double(max(rows - 1, 1)) - variance[c])
      }
      let scale = 1 / (spread + epsilon).squareRoot()
      func normal(_ i: Int) -> Double { (x[i] - centre) * scale }
      self.weight[c] = at.reduce(0) { $0 + residual[$1] * normal($1) }
      self.bias[c] = at.reduce(0) { $0 + residual[$1] }
      for i in at {
        let value = normal(i) * weight[c] + bias[c] + (added?[i] ?? 0)
        output[i] = relu ? max(value, 0) : value
        let common =
          momentum == nil ? 0 : (self.bias[c] + normal(i) * self.weight[c]) / Double(rows)
        input[i] = weight[c] * scale * (residual[i] - common)
      }
    }
  }
}
