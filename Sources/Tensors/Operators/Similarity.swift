import OpenCL

extension Tensor {
  /// The rows brought to unit length: `x / max(|x|, 1e-12)` over the last axis.
  ///
  /// - Returns: A new tensor; a zero row stays zero.
  package func l2Normalized() throws -> Tensor { try normalizedRows(length: 1) }

  /// A temperature times the cosine of every row with every row of another tensor.
  ///
  /// - Parameters:
  ///   - other: `[C, D]` or `[B, C, D]`, of the same rank.
  ///   - temperature: The factor.
  /// - Returns: `[R, C]` for this `[R, D]`, `[B, R, C]` for `[B, R, D]`.
  package func cosineSimilarity(_ other: Tensor, temperature: Float) throws -> Tensor {
    try normalizedRows(length: temperature).matrixProduct(
      try other.l2Normalized(), transposeRight: true)
  }

  /// Logits of the classes: a temperature times the unit features times class embeddings.
  ///
  /// The features may have any length; the embeddings are used as they are. Features that are unit
  /// rows already are divided by a number that is 1 to the last bit or two. Follows spec
  /// detector 2.7.
  ///
  /// - Parameters:
  ///   - embeddings: `[C, D]`, one row a class.
  ///   - temperature: The factor.
  /// - Returns: `[R, C]` for these features `[R, D]`.
  package func classLogits(embeddings: Tensor, temperature: Float) throws -> Tensor {
    try normalizedRows(length: temperature).matrixProduct(embeddings, transposeRight: true)
  }

  /// The rows brought to a length other than 0.
  private func normalizedRows(length: Float) throws -> Tensor {
    precondition(rank > 0 && elementType == .float32, "normalised rows of shape \(shape)")
    let columns = shape[rank - 1]
    let rows = shape.dropLast().reduce(1, *)
    let result = try Tensor(uninitialized: shape, on: stream, label: "unit rows")
    let norms = try Tensor(uninitialized: [rows], on: stream, label: "norms")
    try stream.launchRows(
      try stream.library.kernel("similarity_normalize_forward", in: "Similarity"), rows: rows,
      [
        .buffer(buffer), .buffer(result.buffer), .buffer(norms.buffer), .int(columns),
        .float(length), .float(Self.smallestNorm),
      ], work: Work(operations: 3 * Double(count), bytes: 8 * Double(count)))
    let input = detached()
    return result.differentiable(from: [self], "normalizedRows") { gradient in
      let stream = gradient.stream
      let output = try Tensor(uninitialized: input.shape, on: stream, label: "gradient")
      try stream.launchRows(
        try stream.library.kernel("similarity_normalize_backward", in: "Similarity"), rows: rows,
        [
          .buffer(input.buffer), .buffer(gradient.buffer), .buffer(norms.buffer),
          .buffer(output.buffer), .int(columns), .float(length), .float(Self.smallestNorm),
        ], work: Work(operations: 5 * Double(input.count), bytes: 12 * Double(input.count)))
      return [output]
    }
  }

  /// Shorter rows are divided by this instead of by their length.
  private static let smallestNorm: Float = 1e-12
}
