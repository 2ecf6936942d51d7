import OpenCL

extension Tensor {
  /// Multi-head self-attention of fused queries, keys and values.
  ///
  /// This is `[N, L, 3E]`: columns 0..<E are queries, the next E keys, the last E values; head h owns
  /// columns h * E / H ..< (h + 1) * E / H of each. Scores are scaled by 1 / sqrt(E / H). A row that
  /// the masks close entirely gives zeros and no gradient. No score matrix is stored: the backward
  /// pass rebuilds the probabilities from one number per row. Source: Vaswani et al. 2017.
  ///
  /// - Parameters:
  ///   - heads: H, a divisor of E.
  ///   - causal: Whether position i sees only positions up to i.
  ///   - mask: `[L, L]` or `[N * H, L, L]`, added to the scores; may hold -inf; a constant.
  /// - Returns: `[N, L, E]`.
  /// - Throws: `OpenCLError` when the device fails.
  public func attention(heads: Int, causal: Bool = false, mask: Tensor? = nil) throws -> Tensor {
    precondition(
      rank == 3 && heads > 0 && shape[2] % (3 * heads) == 0,
      "attention of \(shape) with \(heads) heads; it needs [N, L, 3E]")
    let sizes = AttentionSizes(
      batch: shape[0], length: shape[1], heads: heads, headWidth: shape[2] / (3 * heads),
      causal: causal, maskIsShared: mask?.rank != 3)
    if let mask {
      let one = [sizes.length, sizes.length]
      precondition(
        mask.shape == one || mask.shape == [sizes.batch * heads] + one,
        "attention mask \(mask.shape) for \(shape) with \(heads) heads")
    }
    let result = try Tensor(
      uninitialized: [sizes.batch, sizes.length, shape[2] / 3], on: stream, label: "attention")
    let logSums = try Tensor(
      uninitialized: [sizes.batch * heads, sizes.length], on: stream, label: "attention sums")
    guard count > 0 else {
      let shape = shape
      return result.differentiable(from: [self], "attention") {
        [try Tensor(uninitialized: shape, on: $0.stream, label: "attention gradient")]
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
    let output = try Tensor(uninitialized: shape, on: stream, label: "attention gradient")
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
    try stream.launchRows(
      try sizes.kernel("attention_backward_query_row", in: "Attention", on: stream),
      rows: sizes.rows,
      [
        .buffer(buffer), maskArgument, .buffer(result.buffer), .buffer(gradient.buffer),
        .buffer(logSums.buffer), .buffer(differences.buffer), .buffer(output.buffer),
        .local(4 * sizes.length),
      ] + sizes.arguments, work: sizes.work(products: 3, tensors: 6))
    try stream.launchRows(
      try sizes.kernel("attention_backward_key_value_row", in: "Attention", on: stream),
      rows: sizes.rows,
      [
        .buffer(buffer), maskArgument, .buffer(gradient.buffer), .buffer(logSums.buffer),
        .buffer(differences.buffer), .buffer(output.buffer), .local(8 * sizes.length),
      ] + sizes.arguments, work: sizes.work(products: 4, tensors: 6))
    return output
  }
}

/// The sizes of one attention and what its kernels get from them.
private struct AttentionSizes {
  let batch: Int
  let length: Int
  let heads: Int
  let headWidth: Int
  let causal: Bool
  let maskIsShared: Bool

  /// Rows of scores.
  var rows: Int { batch * heads * length }

  /// The arguments that all kernels share.
  var arguments: [KernelArgument] {
    [
      .int(length), .int(heads), .int(maskIsShared ? 0 : length * length), .int(causal ? 1 : 0),
      .float(1 / Float(headWidth).squareRoot()),
    ]
  }

  /// Floats between rows over the keys in local memory; `KEY_STEP` of `AttentionCPU.cl` is 32.
  var pitch: Int { (length + 31) / 32 * 32 + 16 }

  private var columns: Int { 4 * headWidth * pitch }
  private var rowsOfHead: Int { 4 * length * ((headWidth + 15) / 16 * 16) }
  private var scores: Int { 4 * Self.queries * pitch }

  /// Bytes of each local array of the CPU's forward kernel, in order.
  var forwardLocal: [Int] { [columns, rowsOfHead, scores] }

  /// Bytes of each local array of the CPU's backward kernel, in order.
  var backwardLocal: [Int] {
    [columns, columns, rowsOfHead, rowsOfHead, rowsOfHead, scores, scores]
  }

  /// `QUERIES` of `AttentionCPU.cl`.
  private static let queries = 8

  /// Whether the CPU's kernels apply; long sequences outgrow local memory and go row by row.
  func fitsCPU(local: [Int], on stream: ComputeStream) -> Bool {
    let fixed = 2 * 4 * Self.queries * ((headWidth + 15) / 16 * 16)
    return stream.family == .cpu
      && local.reduce(fixed, +) <= stream.device.localMemoryInBytes
  }

  func kernel(_ name: String, in file: String, on stream: ComputeStream) throws -> Kernel {
    try stream.library.kernel(name, in: file, parameters: ["HEAD_WIDTH": headWidth])
  }

  /// The cost of a pass with so many products of `[L, L]` by the head's width and so many operands
  /// of `[N, L, E]` read or written.
  func work(products: Int, tensors: Int) -> Work {
    let elements = Double(rows) * Double(headWidth)
    return Work(
      operations: 2 * Double(products) * elements * Double(length) * (causal ? 0.5 : 1),
      bytes: 4 * Double(tensors) * elements)
  }
}
