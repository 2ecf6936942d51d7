import Tensors

@testable import CLIP

extension ImageEncoder {
  /// The state before the first block and after each block, `[N, L, W]` each.
  func hiddenStates(_ crops: Tensor) throws -> [Tensor] {
    try transformer.allStates(try embedded(crops), causal: false)
  }
}

extension TextEncoder {
  /// The state before the first block and after each block, `[S, L, D]` each.
  func hiddenStates(ids: [[Int32]]) throws -> [Tensor] {
    let embeddings = try tokenEmbedding.value.embedding(
      indices: ids.flatMap { $0 }, shape: [ids.count, ids.first?.count ?? 0])
    return try transformer.allStates(try withPositions(embeddings), causal: true)
  }
}

extension Transformer {
  /// The input and what each block makes of it.
  fileprivate func allStates(_ x: Tensor, causal: Bool) throws -> [Tensor] {
    try blocks.reduce(into: [x]) { states, block in
      states.append(try block(states[states.count - 1], causal: causal, mask: nil))
    }
  }
}
