import Tensors

/// Embeddings of class names by prompt ensembling (spec clip 3.9).
public enum ClassEmbeddings {
  /// Sentences that are encoded at a time, which bounds the memory.
  static let chunk = 256

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
  public static func encode(
    _ names: [String], tokenizer: Tokenizer, encoder: TextEncoder, output: TextEncoder.Output,
    templates: (String) -> [String] = PromptTemplates.texts(for:)
  ) throws -> Tensor {
    precondition(!names.isEmpty, "no class names")
    let sentences = names.map(templates)
    let ids = try tokenizer.encode(
      sentences.flatMap { $0 }, contextLength: encoder.configuration.contextLength,
      overflow: .reject)
    var parts: [Tensor] = []
    for start in stride(from: 0, to: ids.count, by: chunk) {
      let part = Array(ids[start..<min(start + chunk, ids.count)])
      parts.append(try encoder.encode(ids: part, output: output).sentences)
    }
    let features = parts.count == 1 ? parts[0] : try Tensor.concatenated(parts, axis: 0)
    var offsets: [Int32] = [0]
    for sentences in sentences { offsets.append((offsets.last ?? 0) + Int32(sentences.count)) }
    // The mean's scale does not matter: the sum is normalised.
    return try features.combinedRows(
      offsets: offsets, indices: (0..<Int32(ids.count)).map { $0 }
    ).l2Normalized().detached()
  }
}
