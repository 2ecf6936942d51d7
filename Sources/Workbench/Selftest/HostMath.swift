import Foundation

/// Plain double-precision references of operators, written from their formulas.
enum HostMath {
  /// `[rows, inner] x [inner, columns]`.
  static func product(
    _ a: [Double], _ b: [Double], _ rows: Int, _ inner: Int, _ columns: Int
  ) -> [Double] {
    (0..<rows * columns).map { place in
      let (row, column) = (place / columns, place % columns)
      return (0..<inner).reduce(0) { $0 + a[row * inner + $1] * b[$1 * columns + column] }
    }
  }

  /// Swaps the two axes of `[rows, columns]`.
  static func transposed(_ a: [Double], _ rows: Int, _ columns: Int) -> [Double] {
    (0..<rows * columns).map { a[$0 % rows * columns + $0 / rows] }
  }

  /// Applies a function to each row of a given width.
  static func rows(
    _ x: [Double], _ width: Int, _ body: (ArraySlice<Double>) -> [Double]
  ) -> [Double] {
    stride(from: 0, to: x.count, by: width).flatMap { body(x[$0..<$0 + width]) }
  }

  static func softmax(_ row: some Collection<Double>) -> [Double] {
    let largest = row.max() ?? 0
    let powers = row.map { exp($0 - largest) }
    let total = powers.reduce(0, +)
    return powers.map { $0 / total }
  }

  static func logSumExp(_ row: some Collection<Double>) -> Double {
    let largest = row.max() ?? 0
    return largest + log(row.reduce(0) { $0 + exp($1 - largest) })
  }

  static func unit(_ row: some Collection<Double>) -> [Double] {
    let length = max(row.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-12)
    return row.map { $0 / length }
  }

  /// (x - mean) / sqrt(variance + 1e-5) of each row.
  static func standardised(_ row: some Collection<Double>) -> [Double] {
    let mean = row.reduce(0, +) / Double(row.count)
    let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
    return row.map { ($0 - mean) / (variance + 1e-5).squareRoot() }
  }

  static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  /// The size of a convolution's problem; square kernels.
  struct Convolution {
    var height: Int
    var width: Int
    var inputs: Int
    var outputs: Int
    var kernel: Int
    var stride = 1
    var padding = 0
    var dilation = 1

    func out(_ size: Int) -> Int {
      (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
    }

    /// `x` is `[1, H, W, I]`, `weight` `[O, K, K, I]`.
    func callAsFunction(_ x: [Double], _ weight: [Double], _ bias: [Double]) -> [Double] {
      var result: [Double] = []
      for y in 0..<out(height) {
        for column in 0..<out(width) {
          for output in 0..<outputs {
            var sum = bias[output]
            for ky in 0..<kernel {
              let iy = y * stride - padding + ky * dilation
              guard (0..<height).contains(iy) else { continue }
              for kx in 0..<kernel {
                let ix = column * stride - padding + kx * dilation
                guard (0..<width).contains(ix) else { continue }
                for input in 0..<inputs {
                  sum +=
                    x[(iy * width + ix) * inputs + input]
                    * weight[((output * kernel + ky) * kernel + kx) * inputs + input]
                }
              }
            }
            result.append(sum)
          }
        }
      }
      return result
    }
  }

  /// Attention over fused `[1, L, 3E]` (spec clip 3.1).
  static func attention(
    _ x: [Double], length: Int, width: Int, heads: Int, causal: Bool
  ) -> [Double] {
    let head = width / heads
    var result = [Double](repeating: 0, count: length * width)
    for h in 0..<heads {
      func value(_ part: Int, _ row: Int, _ d: Int) -> Double {
        x[row * 3 * width + part * width + h * head + d]
      }
      for query in 0..<length {
        let keys = causal ? query + 1 : length
        let scores = (0..<keys).map { key in
          (0..<head).reduce(0) { $0 + value(0, query, $1) * value(1, key, $1) }
            / Double(head).squareRoot()
        }
        for (key, share) in softmax(scores).enumerated() {
          for d in 0..<head { result[query * width + h * head + d] += share * value(2, key, d) }
        }
      }
    }
    return result
  }

  /// RoIAlign of one map `[H, W, C]`, aligned, two samples a bin and axis (spec detector 2.6).
  static func roiAlign(
    _ map: [Double], height: Int, width: Int, channels: Int, boxes: [[Double]], scale: Double,
    size: Int
  ) -> [Double] {
    func sample(_ y: Double, _ x: Double, _ c: Int) -> Double {
      guard y >= -1, y <= Double(height), x >= -1, x <= Double(width) else { return 0 }
      let (y, x) = (
        min(max(y, 0), Double(height - 1)), min(max(x, 0), Double(width - 1))
      )
      let (y0, x0) = (Int(y), Int(x))
      let (y1, x1) = (min(y0 + 1, height - 1), min(x0 + 1, width - 1))
      let (fy, fx) = (y - Double(y0), x - Double(x0))
      func at(_ row: Int, _ column: Int) -> Double { map[(row * width + column) * channels + c] }
      return (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x1))
        + fy * ((1 - fx) * at(y1, x0) + fx * at(y1, x1))
    }
    return boxes.flatMap { box in
      let start = (box[1] * scale - 0.5, box[0] * scale - 0.5)
      let bin = (
        (box[3] - box[1]) * scale / Double(size), (box[2] - box[0]) * scale / Double(size)
      )
      return (0..<size * size * channels).map { place in
        let (c, cell) = (place % channels, place / channels)
        var sum = 0.0
        for sy in 0..<2 {
          for sx in 0..<2 {
            sum += sample(
              start.0 + bin.0 * (Double(cell / size) + (Double(sy) + 0.5) / 2),
              start.1 + bin.1 * (Double(cell % size) + (Double(sx) + 0.5) / 2), c)
          }
        }
        return sum / 4
      }
    }
  }

  /// Greedy suppression; indices by falling score.
  static func suppressed(_ boxes: [[Double]], _ scores: [Double], _ threshold: Double) -> [Int] {
    var kept: [Int] = []
    for index in scores.indices.sorted(by: { scores[$0] > scores[$1] }) {
      let a = boxes[index]
      let overlaps = kept.contains { other in
        let b = boxes[other]
        let inter =
          max(0, min(a[2], b[2]) - max(a[0], b[0]))
          * max(0, min(a[3], b[3]) - max(a[1], b[1]))
        let union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
        return inter / union > threshold
      }
      if !overlaps { kept.append(index) }
    }
    return kept
  }
}
