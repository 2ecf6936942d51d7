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
        host: { x in
          let columns = HostReference.rows(HostReference.transposed(x[0], rows, width), rows) {
            HostReference.standardised($0)
          }
          return affine(x, HostReference.transposed(columns, width, rows))
        }),
      OperatorCheck(
        name: "batch norm, frozen", operators: ["frozenBatchNorm"], shapes: shapes, activations: 1,
        device: {
          let (mean, variance) = try statistics($0[0].stream)
          return try $0[0].frozenBatchNorm(
            weight: $0[1], bias: $0[2], runningMean: mean, runningVariance: variance)
        }, host: { x in affine(x, x[0].map { ($0 - 0.25) / (2 + 1e-5).squareRoot() }) }),
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
