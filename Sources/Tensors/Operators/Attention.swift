import OpenCL

extension Tensor {
  /// Multi-head self-attention of fused queries, keys and values.
  ///
  /// This is `[N, L, 3E]`: columns 0..<E are queries, the next E keys, the last E values; head h owns
  /// columns h * E / H ..< (h + 1) * E / H of each. Scores are scaled by 1 / sqrt(E / H). A row that
  /// the masks close entirely gives zeros and no gradient. No score matrix is stored: the backward
  /// pass rebuilds the probabilities from one number per row. The result is stored like this tensor,
  /// which tensor cores multiply where ``MatrixUnit/kernelName`` is theirs; a CPU's sums are of
  /// float32 products.
  /// Source: Vaswani et al. 2017.
  ///
  /// - Parameters:
  ///   - heads: H, a divisor of E.
  ///   - causal: Whether position i sees only positions up to i.
  ///   - mask: `[L, L]` or `[N * H, L, L]`, added to the scores; may hold -inf; a constant.
  /// - Returns: `[N, L, E]`.
  package func attention(heads: Int, causal: Bool = false, mask: Tensor? = nil) throws -> Tensor {
    precondition(
      rank == 3 && heads > 0 && shape[2] % (3 * heads) == 0,
      "attention of \(shape) with \(heads) heads; it needs [N, L, 3E]")
    let sizes = AttentionSizes(
      batch: shape[0], length: shape[1], heads: heads, headWidth: shape[2] / (3 * heads),
      causal: causal, maskIsShared: mask?.rank != 3, elementType: elementType)
    if let mask {
      let one = [sizes.length, sizes.length]
      precondition(
        mask.shape == one || mask.shape == [sizes.batch * heads] + one,
        "attention mask \(mask.shape) for \(shape) with \(heads) heads")
    }
    let result = try Tensor(
      uninitialized: [sizes.batch, sizes.length, shape[2] / 3], on: stream,
      elementType: elementType, label: "attention")
    let logSums = try Tensor(
      uninitialized: [sizes.batch * heads, sizes.length], on: stream, label: "attention sums")
    guard count > 0 else {
      let input = detached()
      return result.differentiable(from: [self], "attention") { _ in
        [try Tensor(like: input, label: "attention gradient")]
      }
    }
    let operands: [KernelArgument] = [
      .buffer(buffer), mask.map { .buffer($0.buffer) } ?? .null, .buffer(result.buffer),
      .buffer(logSums.buffer),
    ]
    let work = sizes.work(products: 2, tensors: 4)
    if sizes.fitsCPU(local: sizes.forwardLocal, on: stream) {
      try stream.queue.launch(
        try sizes.kernel("attention_forward_cpu", in: "AttentionCPU", on: stream),
        global: [sizes.batch * heads], local: [1],
        operands + sizes.forwardLocal.map { .local($0) } + sizes.arguments + [.int(sizes.pitch)],
        work: work)
    } else if let cores = AttentionCores.usable(for: sizes, on: stream) {
      try cores.forward(operands, sizes: sizes, on: stream)
    } else {
      try stream.launchRows(
        try sizes.kernel("attention_forward_row", in: "Attention", on: stream), rows: sizes.rows,
        operands + [.local(4 * sizes.length)] + sizes.arguments, work: work)
    }
    let input = detached()
    return result.differentiable(from: [self], "attention") { gradient in
      [
        try input.attentionGradient(
          gradient, result: result, logSums: logSums, mask: mask, sizes: sizes)
      ]
    }
  }

  private func attentionGradient(
    _ gradient: Tensor, result: Tensor, logSums: Tensor, mask: Tensor?, sizes: AttentionSizes
  ) throws -> Tensor {
    precondition(
      gradient.elementType == elementType,
      "attention of \(elementType) with a gradient of \(gradient.elementType)")
    let output = try Tensor(like: self, label: "attention gradient")
    let maskArgument: KernelArgument = mask.map { .buffer($0.buffer) } ?? .null
    if sizes.fitsCPU(local: sizes.backwardLocal, on: stream) {
      let operands: [KernelArgument] = [
        .buffer(buffer), maskArgument, .buffer(result.buffer), .buffer(gradient.buffer),
        .buffer(logSums.buffer), .buffer(output.buffer),
      ]
      try stream.queue.launch(
        try sizes.kernel("attention_backward_cpu", in: "AttentionCPU", on: stream),
        global: [sizes.batch * sizes.heads], local: [1],
        operands + sizes.backwardLocal.map { .local($0) } + sizes.arguments
          + [.int(sizes.pitch)], work: sizes.work(products: 5, tensors: 8))
      return output
    }
    let differences = try Tensor(
      uninitialized: logSums.shape, on: stream, label: "attention differences")
    let queryOperands: [KernelArgument] = [
      .buffer(buffer), maskArgument, .buffer(result.buffer), .buffer(gradient.buffer),
      .buffer(logSums.buffer), .buffer(differences.buffer), .buffer(output.buffer),
    ]
    let keyOperands: [KernelArgument] = [
      .buffer(buffer), maskArgument, .buffer(gradient.buffer), .buffer(logSums.buffer),
      .buffer(differences.buffer), .buffer(output.buffer),
    ]
    if let cores = AttentionCores.usable(for: sizes, on: stream) {
      try cores.backward(query: queryOperands, key: keyOperands, sizes: sizes, on: stream)
      return output
    }
    try stream.launchRows(
      try sizes.kernel("attention_backward_query_row", in: "Attention", on: stream),
      rows: sizes.rows, queryOperands + [.local(4 * sizes.length)] + sizes.arguments,
      work: sizes.work(products: 3, tensors: 6))
    try stream.launchRows(
      try sizes.kernel("attention_backward_key_value_row", in: "Attention", on: stream),
      rows: sizes.rows, keyOperands + [.local(8 * sizes.length)] + sizes.arguments,
      work: sizes.work(products: 4, tensors: 6))
    return output
  }
}
