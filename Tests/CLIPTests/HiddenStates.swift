import Tensors

@testable import CLIP

extension ImageEncoder {
  /// The state before the first block and after each block, `[N, L, W]` each.
  func hiddenStates(_ crops: Tensor) throws -> [Tensor] {
    try transformer.states(
      try embedded(crops), through: transformer.blocks.count, causal: false, keepsAll: true)
  }
}

extension TextEncoder {
  /// The state before the first block and after each block, `[S, L, D]` each.
  func hiddenStates(ids: [[Int32]]) throws -> [Tensor] {
    let embeddings = try tokenEmbedding.value.embedding(
      indices: ids.flatMap { $0 }, shape: [ids.count, ids.first?.count ?? 0])
    return try transformer.states(
      try withPositions(embeddings), through: transformer.blocks.count, causal: true,
      keepsAll: true)
  }
}
