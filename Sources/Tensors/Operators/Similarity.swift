import OpenCL

extension Tensor {
  /// The rows brought to unit length: `x / max(|x|, 1e-12)` over the last axis.
  ///
  /// - Returns: A new tensor; a zero row stays zero.
  package func l2Normalized() throws -> Tensor {
    precondition(rank > 0 && elementType == .float32, "normalised rows of shape \(shape)")
    let columns = shape[rank - 1]
    let rows = shape.dropLast().reduce(1, *)
    let result = try Tensor(uninitialized: shape, on: stream, label: "unit rows")
    let norms = try Tensor(uninitialized: [rows], on: stream, label: "norms")
    try stream.launchRows(
      try stream.library.kernel("similarity_normalize_forward", in: "Similarity"), rows: rows,
      [
        .buffer(buffer), .buffer(result.buffer), .buffer(norms.buffer), .int(columns),
        .float(Self.smallestNorm),
      ], work: Work(operations: 3 * Double(count), bytes: 8 * Double(count)))
    let input = detached()
    return result.differentiable(from: [self], "l2Normalized") { gradient in
      let stream = gradient.stream
      let output = try Tensor(uninitialized: input.shape, on: stream, label: "gradient")
      try stream.launchRows(
        try stream.library.kernel("similarity_normalize_backward", in: "Similarity"), rows: rows,
        [
          .buffer(input.buffer), .buffer(gradient.buffer), .buffer(norms.buffer),
          .buffer(output.buffer), .int(columns), .float(Self.smallestNorm),
        ], work: Work(operations: 5 * Double(input.count), bytes: 12 * Double(input.count)))
      return [output]
    }
  }

  /// A temperature times the cosine of every row with every row of another tensor.
  ///
  /// Rows are used as they are: what makes an embedding brings it to unit length, once
  /// (``l2Normalized()``, or on the host the matrix of class embeddings). A zero row has cosine 0
  /// with all. Follows spec detector 2.7.
  ///
  /// - Parameters:
  ///   - other: `[C, D]` or `[B, C, D]`, of the same rank; unit rows as these.
  ///   - temperature: The factor.
  /// - Returns: `[R, C]` for this `[R, D]`, `[B, R, C]` for `[B, R, D]`.
  package func cosineSimilarity(_ other: Tensor, temperature: Float) throws -> Tensor {
    try matrixProduct(try other.scaled(by: temperature), transposeRight: true)
  }

  /// Shorter rows are divided by this instead of by their length.
  private static let smallestNorm: Float = 1e-12
}
