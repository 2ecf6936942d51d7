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
        host: { HostReference.attention($0[0], length: 11, width: 24, heads: 4, causal: false) }),
      OperatorCheck(
        name: "attention, causal", operators: ["attention"], shapes: [[1, 35, 96]], activations: 1,
        device: { try $0[0].attention(heads: 2, causal: true) },
        host: { HostReference.attention($0[0], length: 35, width: 32, heads: 2, causal: true) }),
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

extension HostReference {
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
}
