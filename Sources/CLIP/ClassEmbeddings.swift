import Annotations
import Checkpoints
import Tensors

/// The text feature that stands for a class; classes and regions are compared in the same one.
package enum EmbeddingFeature: String, Sendable, CaseIterable {
  /// After the final norm and projection.
  case final
  /// The last block's output, the "layer-12" one, without norm and projection (spec clip 3.2).
  case lastBlock = "last_block"

  /// The encoder's output that gives it.
  ///
  /// - Parameter configuration: Sizes of the model.
  package func output(of configuration: CLIPConfiguration) -> TextEncoder.Output {
    self == .final ? .final : .block(configuration.text.layers)
  }

  /// The length of its vectors.
  ///
  /// - Parameter configuration: Sizes of the model.
  package func width(of configuration: CLIPConfiguration) -> Int {
    self == .final ? configuration.embeddingWidth : configuration.text.width
  }
}

/// Embeddings of class names by prompt ensembling (spec clip 3.9).
package enum ClassEmbeddings {
  /// Sentences that are encoded at a time, which bounds the memory.
  static let chunk = 512

  /// Encodes class names: the unit mean of the unit features of all sentences of a class.
  ///
  /// - Parameters:
  ///   - names: Class names as the data set writes them.
  ///   - tokenizer: The encoder's tokenizer.
  ///   - encoder: The text encoder.
  ///   - output: Which state of the end token is the feature; both sides of a cosine must agree.
  ///   - templates: The sentences of a name.
  /// - Returns: `[C, D]`, unit rows in the order of `names`; a constant.
  /// - Throws: ``TokenizerError`` for a name that does not fit the context; `OpenCLError`.
  package static func encode(
    _ names: [String], tokenizer: Tokenizer, encoder: TextEncoder, output: TextEncoder.Output,
    templates: (String) -> [String] = PromptTemplates.texts(for:)
  ) throws -> Tensor {
    try encode(
      names.map { ClassName($0) }, tokenizer: tokenizer, encoder: encoder, outputs: [output],
      templates: templates)[0].tensor(on: encoder.stream)
  }

  /// Encodes classes in several outputs at once.
  ///
  /// A class with synonyms is the unit mean of its names' embeddings: each name counts the same.
  ///
  /// - Parameters:
  ///   - classes: The classes, at least one.
  ///   - tokenizer: The encoder's tokenizer.
  ///   - encoder: The text encoder.
  ///   - outputs: Which states of the end token are wanted.
  ///   - templates: The sentences of a name.
  ///   - progress: Gets the number of names that are done and that of all.
  /// - Returns: For each output unit rows in the order of `classes`.
  /// - Throws: ``TokenizerError`` for a name that does not fit the context; `OpenCLError`.
  package static func encode(
    _ classes: [ClassName], tokenizer: Tokenizer, encoder: TextEncoder,
    outputs: [TextEncoder.Output], templates: (String) -> [String],
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws -> [EmbeddingMatrix] {
    precondition(!classes.isEmpty, "no class names")
    let names = classes.flatMap(\.all)
    let sentences = try names.map { name in
      try ids(of: name, templates(name), tokenizer, limit: encoder.configuration.contextLength)
    }
    var rows = [[Float]](repeating: [], count: outputs.count)
    var done = 0
    while done < names.count {
      var end = done
      var count = 0
      repeat {
        count += sentences[end].count
        end += 1
      } while end < names.count && count + sentences[end].count <= chunk
      let part = try encode(sentences[done..<end], with: encoder, outputs)
      // Reading waits for the device, so that the progress is a true one.
      for (index, tensor) in part.enumerated() { rows[index] += try tensor.floats() }
      done = end
      progress(done, names.count)
    }
    var next = 0
    let groups = classes.map { entry in
      defer { next += entry.all.count }
      return Array(next..<next + entry.all.count)
    }
    return rows.map { EmbeddingMatrix($0, width: $0.count / names.count).unitMeans(of: groups) }
  }

  private static func ids(
    of name: String, _ texts: [String], _ tokenizer: Tokenizer, limit: Int
  ) throws -> [[Int32]] {
    do {
      return try tokenizer.encode(texts, contextLength: limit, overflow: .reject)
    } catch TokenizerError.tooLong(_, let count, let limit) {
      throw TokenizerError.nameTooLong(name: name, count: count, limit: limit)
    }
  }

  /// One unit row for each name and output.
  private static func encode(
    _ sentences: ArraySlice<[[Int32]]>, with encoder: TextEncoder, _ outputs: [TextEncoder.Output]
  ) throws -> [Tensor] {
    var offsets: [Int32] = [0]
    for texts in sentences { offsets.append((offsets.last ?? 0) + Int32(texts.count)) }
    return try encoder.stream.withoutGradients {
      // The mean's scale does not matter: the sum is normalised.
      try encoder.encode(ids: sentences.flatMap { $0 }, outputs: outputs).map { features in
        try features.combinedRows(
          offsets: offsets, indices: (0..<(offsets.last ?? 0)).map { $0 }
        ).l2Normalized()
      }
    }
  }
}
