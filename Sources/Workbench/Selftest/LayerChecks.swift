import Detection
import Foundation
import Tensors

/// Checks of the operators that networks are made of.
package enum LayerChecks {
  package static var all: [OperatorCheck] { products + convolutions + norms + elements + maps }

  private static var products: [OperatorCheck] {
    let (m, n, k) = (37, 29, 45)
    return [
      OperatorCheck(
        name: "matrix product", shapes: [[m, k], [k, n]],
        activations: 2, device: { try $0[0].matrixProduct($0[1]) },
        host: { HostMath.product($0[0], $0[1], m, k, n) }),
      OperatorCheck(
        name: "matrix product, transposed", shapes: [[k, m], [n, k]],
        activations: 2,
        device: { try $0[0].matrixProduct($0[1], transposeLeft: true, transposeRight: true) },
        host: {
          HostMath.product(
            HostMath.transposed($0[0], k, m), HostMath.transposed($0[1], n, k), m, k, n)
        }),
      OperatorCheck(
        name: "linear", shapes: [[m, k], [n, k], [n]],
        activations: 1, device: { try $0[0].linear(weight: $0[1], bias: $0[2]) },
        host: { x in
          HostMath.product(x[0], HostMath.transposed(x[1], n, k), m, k, n).enumerated().map {
            $1 + x[2][$0 % n]
          }
        }),
    ]
  }

  private static var convolutions: [OperatorCheck] {
    let cases: [(String, HostMath.Convolution)] = [
      ("convolution 1x1", .init(height: 6, width: 5, inputs: 19, outputs: 18, kernel: 1)),
      (
        "convolution 3x3", .init(height: 7, width: 9, inputs: 5, outputs: 17, kernel: 3, padding: 1)
      ),
      (
        "convolution 7x7 stride 2",
        .init(height: 13, width: 11, inputs: 3, outputs: 8, kernel: 7, stride: 2, padding: 3)
      ),
      (
        "convolution dilated",
        .init(
          height: 9, width: 8, inputs: 4, outputs: 6, kernel: 3, stride: 2, padding: 2, dilation: 2)
      ),
      (
        "convolution 3x3, 64 channels",
        .init(height: 24, width: 24, inputs: 64, outputs: 64, kernel: 3, padding: 1)
      ),
    ]
    // The last form twice: by Winograd's algorithm and directly, to see both errors.
    let named = cases.map { (name: $0.0, problem: $0.1, direct: false) }
    let direct = named.suffix(1).map {
      (name: $0.name + ", direct", problem: $0.problem, direct: true)
    }
    return (named + direct).map { name, problem, direct in
      OperatorCheck(
        name: name,
        shapes: [
          [1, problem.height, problem.width, problem.inputs],
          [problem.outputs, problem.kernel, problem.kernel, problem.inputs], [problem.outputs],
        ], activations: 1,
        device: {
          try $0[0].convolution(
            weight: $0[1], bias: $0[2], stride: problem.stride, padding: problem.padding,
            dilation: problem.dilation, direct: direct)
        }, host: { problem($0[0], $0[1], $0[2]) })
    }
  }

  private static var norms: [OperatorCheck] {
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
    return [
      OperatorCheck(
        name: "batch norm, training", shapes: shapes, tolerance: 5e-4, activations: 1,
        device: {
          let (mean, variance) = try statistics($0[0].stream)
          return try $0[0].batchNorm(
            weight: $0[1], bias: $0[2], runningMean: mean, runningVariance: variance)
        },
        host: { x in
          let columns = HostMath.rows(HostMath.transposed(x[0], rows, width), rows) {
            HostMath.standardised($0)
          }
          return affine(x, HostMath.transposed(columns, width, rows))
        }),
      OperatorCheck(
        name: "batch norm, frozen", shapes: shapes, activations: 1,
        device: {
          let (mean, variance) = try statistics($0[0].stream)
          return try $0[0].frozenBatchNorm(
            weight: $0[1], bias: $0[2], runningMean: mean, runningVariance: variance)
        }, host: { x in affine(x, x[0].map { ($0 - 0.25) / (2 + 1e-5).squareRoot() }) }),
      OperatorCheck(
        name: "layer norm", shapes: shapes, tolerance: 5e-4,
        activations: 1, device: { try $0[0].layerNorm(weight: $0[1], bias: $0[2]) },
        host: { x in affine(x, HostMath.rows(x[0], width) { HostMath.standardised($0) }) }),
      OperatorCheck(
        name: "softmax", shapes: [[rows, width]], range: -4...4, device: { try $0[0].softmax() },
        host: { HostMath.rows($0[0], width) { HostMath.softmax($0) } }),
      OperatorCheck(
        name: "unit rows", shapes: [[rows, width]], device: { try $0[0].l2Normalized() },
        host: { HostMath.rows($0[0], width) { HostMath.unit($0) } }),
      OperatorCheck(
        name: "attention", shapes: [[1, 11, 72]], activations: 1,
        device: { try $0[0].attention(heads: 4) },
        host: { HostMath.attention($0[0], length: 11, width: 24, heads: 4, causal: false) }),
      OperatorCheck(
        name: "attention, causal", shapes: [[1, 35, 96]], activations: 1,
        device: { try $0[0].attention(heads: 2, causal: true) },
        host: { HostMath.attention($0[0], length: 35, width: 32, heads: 2, causal: true) }),
    ]
  }

  private static var elements: [OperatorCheck] {
    let shape = [7, 43]
    func pointwise(
      _ name: String, _ device: @escaping (Tensor) throws -> Tensor,
      _ host: @escaping (Double) -> Double
    ) -> OperatorCheck {
      OperatorCheck(
        name: name, shapes: [shape], range: -3...3, activations: 1, device: { try device($0[0]) },
        host: { $0[0].map(host) })
    }
    return [
      pointwise("ReLU", { try $0.relu() }) { max($0, 0) },
      pointwise("QuickGELU", { try $0.quickGELU() }) { $0 * HostMath.sigmoid(1.702 * $0) },
      pointwise("sigmoid", { try $0.sigmoid() }, HostMath.sigmoid),
      OperatorCheck(
        name: "scale by an exponential", shapes: [shape, []],
        device: { try $0[0].scaled(byExponentialOf: $0[1]) },
        host: { x in x[0].map { exp(x[1][0]) * $0 } }),
      OperatorCheck(
        name: "sum and product", shapes: [shape, shape],
        activations: 2,
        device: { try $0[0].multiplied(by: $0[1]).adding($0[0]).subtracting($0[1]) },
        host: { x in zip(x[0], x[1]).map { $0 * $1 + $0 - $1 } }),
      OperatorCheck(
        name: "mean and column sums", shapes: [shape],
        activations: 1, device: { try $0[0].columnSums().reshaped([shape[1]]).scaled(by: 2) },
        host: { x in
          (0..<shape[1]).map { c in 2 * (0..<shape[0]).reduce(0) { $0 + x[0][$1 * shape[1] + c] } }
        }),
      OperatorCheck(
        name: "row gather and slice", shapes: [shape],
        activations: 1,
        device: { try $0[0].gatheredRows([3, 0, -1, 3, 6]).sliced(axis: 1, 5..<21) },
        host: { x in
          [3, 0, -1, 3, 6].flatMap { row in
            (5..<21).map { row < 0 ? 0 : x[0][row * shape[1] + $0] }
          }
        }),
      OperatorCheck(
        name: "weighted row lists", shapes: [shape],
        activations: 1,
        device: {
          try $0[0].combinedRows(
            offsets: [0, 2, 2, 5], indices: [1, 4, 0, 4, 6], weights: [0.5, -1, 2, 1, 0.25])
        },
        host: { x in
          let lists: [[(Int, Double)]] = [[(1, 0.5), (4, -1)], [], [(0, 2), (4, 1), (6, 0.25)]]
          return lists.flatMap { list in
            (0..<shape[1]).map { c in
              list.reduce(0) { $0 + $1.1 * x[0][$1.0 * shape[1] + c] }
            }
          }
        }),
      OperatorCheck(
        name: "embedding", shapes: [shape],
        activations: 0, device: { try $0[0].embedding(indices: [2, 5, 2, 0], shape: [2, 2]) },
        host: { x in [2, 5, 2, 0].flatMap { x[0][$0 * shape[1]..<($0 + 1) * shape[1]] } }),
    ]
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
        name: "max pooling", shapes: [shape],
        device: { try $0[0].maxPool(kernel: 3, stride: 2, padding: 1) }, host: largest),
      OperatorCheck(
        name: "max pooling, forward", shapes: [shape], hasGradient: false, activations: 1,
        device: { try $0[0].maxPool(kernel: 3, stride: 2, padding: 1) }, host: largest),
    ]
  }

  private static var maps: [OperatorCheck] {
    let (height, width, channels) = (9, 11, 6)
    let boxes = [[0.0, 4.0, 6.0, 30.0, 28.0], [0, -3, 10, 17, 47], [0, 20, 1, 43, 9]]
    return maxPooling([1, height, width, channels]) + [
      OperatorCheck(
        name: "average pooling", shapes: [[2, 3, 5, channels]],
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
        name: "upsampling and sum",
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
        name: "RoIAlign", shapes: [[1, height, width, channels]], activations: 1,
        device: {
          let rois = try Tensor(
            boxes.flatMap { $0.map { Float($0) } }, shape: [boxes.count, 5], on: $0[0].stream)
          return try Tensor.roiAlign(
            levels: [$0[0]], scales: [0.25], rois: rois, height: 4, width: 4, samplingRatio: 2)
        },
        host: {
          HostMath.roiAlign(
            $0[0], height: height, width: width, channels: channels,
            boxes: boxes.map { Array($0.dropFirst()) }, scale: 0.25, size: 4)
        }),
    ]
  }
}
