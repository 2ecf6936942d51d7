import Tensors

extension BenchCase {
  /// Attention of CLIP's two towers.
  static var attentionCases: [BenchCase] {
    let towers = [
      (name: "text_16x8x77", batch: 16, heads: 8, length: 77, isCausal: true),
      (name: "vision_32x12x50", batch: 32, heads: 12, length: 50, isCausal: false),
    ]
    return towers.flatMap { tower in
      [false, true].map { backward in
        attention(
          "attention/\(tower.name)/forward\(backward ? "_backward" : "")", batch: tower.batch,
          heads: tower.heads, length: tower.length, isCausal: tower.isCausal, backward: backward)
      }
    }
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
