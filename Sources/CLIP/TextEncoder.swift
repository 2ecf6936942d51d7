import Checkpoints
import Layers
import Tensors

/// CLIP's text transformer (spec clip 3.2, 3.3); its weights are frozen except where CLIP itself is
/// trained, and gradients flow through it to its input.
package struct TextEncoder {
  /// Which state of the end token is the sentence's feature.
  package enum Output: Sendable, Equatable {
    /// After the final norm and the projection; width is the embedding width.
    case final
    /// After that block (1 is the first), without norm and projection; width is the tower's.
    case block(Int)
  }

  /// Features of a batch of sentences.
  package struct Features {
    /// One unit row per sentence.
    package let sentences: Tensor
    /// One row per word, sentence by sentence, not normalised; nil unless asked for.
    package let words: Tensor?
  }

  /// Sizes of the model.
  package let configuration: CLIPConfiguration
  let tokenEmbedding: Parameter
  private let positionalEmbedding: Parameter
  let transformer: Transformer
  private let finalNorm: LayerNorm
  private let projection: Parameter

  /// Creates the encoder; the weights start at random until they are loaded.
  ///
  /// - Parameters:
  ///   - scope: Where the OpenAI names of the text tower are placed.
  ///   - configuration: Sizes of the model.
  ///   - isFrozen: Whether the weights never change.
  package init(
    _ scope: ParameterScope, configuration: CLIPConfiguration, isFrozen: Bool = true
  ) throws {
    self.configuration = configuration
    let scope = scope.frozen(isFrozen)
    let width = configuration.text.width
    tokenEmbedding = try (scope / "token_embedding").parameter(
      "weight", [configuration.vocabularySize, width], .normal(standardDeviation: 0.02))
    positionalEmbedding = try scope.parameter(
      "positional_embedding", [configuration.contextLength, width],
      .normal(standardDeviation: 0.01))
    transformer = try Transformer(scope, tower: configuration.text)
    finalNorm = try LayerNorm(
      scope / "ln_final", width: width, epsilon: Float(configuration.text.layerNormEpsilon))
    projection = try scope.parameter(
      "text_projection", [width, configuration.embeddingWidth],
      .normal(standardDeviation: 1 / Float(width).squareRoot()))
  }

  /// Where it runs.
  package var stream: ComputeStream { tokenEmbedding.value.stream }

  /// The embeddings of pseudo sentences, before positions are added.
  ///
  /// - Parameters:
  ///   - words: `[N, D]`, the rows that `text` names.
  ///   - text: The sentences.
  /// - Returns: `[S, L, D]`; gradients flow to `words`.
  package func packed(words: Tensor, text: PseudoText) throws -> Tensor {
    let special = try tokenEmbedding.value.gatheredRows([
      Int32(configuration.startTokenID), Int32(configuration.endTokenID), 0,
    ])
    let table = try Tensor.concatenated([words, special], axis: 0).asActivation()
    return try table.gatheredRows(text.rows(wordCount: words.shape[0]))
      .reshaped([text.count, text.length, configuration.text.width])
  }

  /// Encodes pseudo sentences.
  ///
  /// - Parameters:
  ///   - words: `[N, D]`, the rows that `text` names.
  ///   - text: The sentences.
  ///   - output: Which state becomes the sentence's feature.
  ///   - wantsWords: Whether features of single words are computed too.
  /// - Returns: Features; gradients flow to `words`.
  package func encode(
    words: Tensor, text: PseudoText, output: Output = .final, wantsWords: Bool = false
  ) throws -> Features {
    let embeddings = try packed(words: words, text: text)
    return try encode(
      embeddings: embeddings, ends: text.ends, output: output,
      words: wantsWords ? text.wordPositions : nil)
  }

  /// Encodes token ids.
  ///
  /// - Parameters:
  ///   - ids: One row per sentence, all of one length that is at most the context length.
  ///   - output: Which state becomes the sentence's feature.
  ///   - wantsWords: Whether features of single words are computed too.
  /// - Returns: Features; the end is the first position of the largest id.
  package func encode(
    ids: [[Int32]], output: Output = .final, wantsWords: Bool = false
  ) throws -> Features {
    let (embeddings, ends) = try embedded(ids)
    let used = embeddings.shape[1]
    var positions: [Int32] = []
    var references: [Int32] = []
    for (index, end) in ends.enumerated() {
      for position in 1..<max(1, end) {
        positions.append(Int32(index * used + position))
        references.append(Int32(index * used + end))
      }
    }
    return try encode(
      embeddings: embeddings, ends: ends, output: output,
      words: wantsWords ? (positions, references) : nil)
  }

  /// Encodes token ids in one pass for several outputs.
  ///
  /// What sentences have in common at their beginnings is computed once, and of the last block the
  /// ends alone. The features of a sentence do not depend on the others; gradients do not flow.
  ///
  /// - Parameters:
  ///   - ids: One row per sentence, at most the context length each.
  ///   - outputs: Which states become the sentence's features, at least one.
  /// - Returns: For each output one unit row per sentence; the end is the first position of the
  ///   largest id.
  package func encode(ids: [[Int32]], outputs: [Output]) throws -> [Tensor] {
    let tree = SentenceTree(ids)
    return try stream.withoutGradients {
      try stream.withRowsAlike {
        let embeddings = try tokenEmbedding.value.gatheredRows(tree.tokens)
          .adding(try positionalEmbedding.value.gatheredRows(tree.positions)).asActivation()
        let ends = try transformer.ends(
          embeddings, of: try tree.lists(on: stream), at: outputs.map(depth))
        return try zip(ends, outputs).map(unit)
      }
    }
  }

  /// The token embeddings of sentences as far as the longest one reaches, and their ends.
  private func embedded(_ ids: [[Int32]]) throws -> (embeddings: Tensor, ends: [Int]) {
    let length = ids.first?.count ?? 0
    precondition(ids.allSatisfy { $0.count == length }, "sentences of several lengths")
    let ends = ids.map { row in row.firstIndex(of: row.max() ?? 0) ?? 0 }
    // After the longest end nothing matters: attention is causal.
    let used = (ends.max() ?? -1) + 1
    let embeddings = try tokenEmbedding.value.embedding(
      indices: ids.flatMap { $0.prefix(used) }, shape: [ids.count, used])
    return (embeddings, ends)
  }

  private func depth(of output: Output) -> Int {
    switch output {
    case .final: transformer.blocks.count
    case .block(let block): block
    }
  }

  /// The unit features of the ends.
  private func sentences(_ state: Tensor, ends: [Int], output: Output) throws -> Tensor {
    let length = state.shape[1]
    let rows = ends.enumerated().map { Int32($0.offset * length + $0.element) }
    let atEnd = try state.reshaped([ends.count * length, configuration.text.width])
      .gatheredRows(rows)
    return try unit(atEnd, output)
  }

  /// The unit features of states at the ends.
  private func unit(_ ends: Tensor, _ output: Output) throws -> Tensor {
    try (output == .final ? projected(ends) : ends.converted(to: .float32)).l2Normalized()
  }

  private func encode(
    embeddings: Tensor, ends: [Int], output: Output, words: (positions: [Int32], ends: [Int32])?
  ) throws -> Features {
    let depth = depth(of: output)
    precondition(
      words == nil || depth == transformer.blocks.count, "words need the last block's input")
    let states = try transformer.states(
      try withPositions(embeddings), through: depth, causal: true)
    let sentences = try sentences(states[states.count - 1], ends: ends, output: output)
    var tokens: Tensor?
    if let words, let block = transformer.blocks.last {
      tokens = try projected(
        try block.tokenVariant(states[0], positions: words.positions, references: words.ends))
    }
    return Features(sentences: sentences, words: tokens)
  }

  func withPositions(_ embeddings: Tensor) throws -> Tensor {
    let (count, length, width) = (embeddings.shape[0], embeddings.shape[1], embeddings.shape[2])
    let positions = try positionalEmbedding.value.sliced(axis: 0, 0..<length)
    return try embeddings.reshaped([count, length * width])
      .addingRow(positions.reshaped([length * width])).reshaped([count, length, width])
  }

  private func projected(_ x: Tensor) throws -> Tensor {
    let type = x.elementType
    return try finalNorm(x).matrixProduct(projection.value(as: type).converted(to: type))
      .converted(to: .float32)
  }
}
