import Tensors

extension OperatorFamily {
  /// Attention of CLIP's two towers.
  static var attention: OperatorFamily {
    let towers = [
      (name: "text_16x8x77", batch: 16, heads: 8, length: 77, isCausal: true),
      (name: "vision_32x12x50", batch: 32, heads: 12, length: 50, isCausal: false),
    ]
    let checks: [OperatorCheck] = [
      OperatorCheck(
        name: "attention", operators: ["attention"], shapes: [[1, 11, 72]], activations: 1,
        device: { try $0[0].attention(heads: 4) },
        host: { AttentionReference($0[0], length: 11, heads: 4, width: 6) { _, _, _ in 0 }.output }),
      OperatorCheck(
        name: "attention, causal", operators: ["attention"], shapes: [[1, 35, 96]], activations: 1,
        device: { try $0[0].attention(heads: 2, causal: true) },
        host: {
          AttentionReference($0[0], length: 35, heads: 2, width: 16) { $2 > $1 ? -.infinity : 0 }
            .output
        }),
    ]
    let cases = towers.flatMap { tower in
      [false, true].map { backward in
        attention(
          "attention/\(tower.name)/forward\(backward ? "_backward" : "")", batch: tower.batch,
          heads: tower.heads, length: tower.length, isCausal: tower.isCausal, backward: backward)
      }
    }
    return OperatorFamily(checks: checks, cases: cases)
  }

  private static func attention(
    _ name: String, batch: Int, heads: Int, length: Int, isCausal: Bool, backward: Bool
  ) -> BenchCase {
    let width = 64 * heads
    let elements = Double(batch * length * width)
    // Both products over the whole square: the mask is not discounted, as in the yardstick.
    let products = 4e-9 * elements * Double(length)
    return BenchCase(
      name: name, gflop: (backward ? 3.5 : 1) * products, bytes: 4 * (backward ? 11 : 4) * elements,
      shape: [
        ("batch", [batch]), ("heads", [heads]), ("length", [length]), ("head", [64]),
      ], ofActivations: true, note: "queries, keys and values come as one tensor [N, L, 3E]"
    ) { stream in
      var values = BenchValues()
      let states = try values.activation([batch, length, 3 * width], on: stream)
      guard backward else { return { _ = try states.attention(heads: heads, causal: isCausal) } }
      let gradient = try values.activation([batch, length, width], on: stream)
      let leaf = states.trained("states")
      return {
        leaf.node?.clearGradient()
        try leaf.attention(heads: heads, causal: isCausal).backward(from: gradient)
      }
    }
  }
}

/// Attention over fused `[N, L, 3E]` and its gradient in float64 (spec clip 3.1).
package struct AttentionReference {
  /// `[N, L, E]`.
  package private(set) var output: [Double]
  /// The gradient of queries, keys and values, `[N, L, 3E]`; zeros without one of the output.
  package private(set) var gradient: [Double]

  /// Computes both.
  ///
  /// - Parameters:
  ///   - qkv: `[N, L, 3E]`.
  ///   - length: L.
  ///   - heads: Heads, H.
  ///   - width: Of a head, E / H.
  ///   - outputGradient: `[N, L, E]`; nil computes the output alone.
  ///   - mask: What is added to the score of image and head n H + h, query and key.
  package init(
    _ qkv: [Double], length: Int, heads: Int, width: Int, outputGradient: [Double]? = nil,
    mask: (_ head: Int, _ query: Int, _ key: Int) -> Double
  ) {
    let row = heads * width
    output = [Double](repeating: 0, count: qkv.count / 3)
    gradient = [Double](repeating: 0, count: qkv.count)
    guard length > 0 else { return }
    let slopes = outputGradient ?? output
    for head in 0..<qkv.count / (3 * width * length) {
      let (first, column) = (head / heads * length, head % heads * width)
      func place(_ index: Int, _ part: Int) -> Int { ((first + index) * 3 + part) * row + column }
      func dot(_ a: [Double], _ i: Int, _ b: [Double], _ j: Int) -> Double {
        (0..<width).reduce(0) { $0 + a[i + $1] * b[j + $1] }
      }
      for i in 0..<length {
        let (query, out) = (place(i, 0), (first + i) * row + column)
        let scores = (0..<length).map { j in
          dot(qkv, query, qkv, place(j, 1)) / Double(width).squareRoot() + mask(head, i, j)
        }
        guard scores.contains(where: { $0 > -.infinity }) else { continue }
        let shares = HostReference.softmax(scores)
        let wanted = (0..<length).map { dot(slopes, out, qkv, place($0, 2)) }
        let mean = zip(shares, wanted).reduce(0) { $0 + $1.0 * $1.1 }
        for j in 0..<length {
          let slope = shares[j] * (wanted[j] - mean) / Double(width).squareRoot()
          let (key, value) = (place(j, 1), place(j, 2))
          for c in 0..<width {
            output[out + c] += shares[j] * qkv[value + c]
            gradient[query + c] += slope * qkv[key + c]
            gradient[key + c] += slope * qkv[query + c]
            gradient[value + c] += shares[j] * slopes[out + c]
          }
        }
      }
    }
  }
}
