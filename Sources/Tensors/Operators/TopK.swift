import OpenCL

extension Tensor {
  /// The largest scores in falling order.
  ///
  /// Equal scores come by rising index; NaN comes last. No gradient. Off CPUs the time grows with
  /// the square of `k`; `k` up to some ten thousand is meant.
  ///
  /// - Parameter k: How many; more than there are gives all.
  /// - Returns: The scores and their places in this vector, both `[min(k, n)]`.
  /// - Throws: `OpenCLError` when the device fails.
  public func topK(_ k: Int) throws -> (values: Tensor, indices: Tensor) {
    precondition(rank == 1 && elementType == .float32, "topK of shape \(shape)")
    let kept = max(0, min(k, count))
    let values = try Tensor(uninitialized: [kept], on: stream, label: "top scores")
    let indices = try Tensor(
      uninitialized: [kept], on: stream, elementType: .int32, label: "top indices")
    guard kept > 0 else { return (values, indices) }
    let scratch = try stream.queue.allocate(bytes: 16 * kept, label: "top keys")
    guard stream.family == .cpu else {
      try rank(kept, keys: scratch, values: values, indices: indices)
      return (values, indices)
    }
    try stream.queue.launch(
      try stream.library.kernel("topk_forward_cpu", in: "TopK"), global: [1], local: [1],
      [
        .buffer(buffer), .buffer(values.buffer), .buffer(indices.buffer), .buffer(scratch),
        .int(kept), .int(count),
      ], work: Work(operations: 16 * Double(count), bytes: 16 * Double(count) + 80 * Double(kept)))
    return (values, indices)
  }

  /// Selects by rounds of histograms and ranks by counting, for devices of many work-items.
  private func rank(_ kept: Int, keys: Buffer, values: Tensor, indices: Tensor) throws {
    let (bins, rounds) = (2048, 6)  // BINS and ROUNDS of TopK.cl
    let library = stream.library
    let state = try stream.queue.allocate(bytes: 24, label: "top k state")
    let counts = try stream.queue.allocate(bytes: 4 * bins, label: "top k histogram")
    try stream.launchElements(
      try library.kernel("topk_start", in: "TopK"), count: bins,
      [.buffer(state), .buffer(counts), .int(kept)], work: Work(bytes: 4 * Double(bins)))
    let pass = Work(operations: 8 * Double(count), bytes: 4 * Double(count))
    // With every score kept the k-th key is 0 and no round is needed.
    for round in 0..<(kept < count ? rounds : 0) {
      try stream.launchElements(
        try library.kernel("topk_histogram", in: "TopK"), count: count,
        [.buffer(buffer), .buffer(state), .buffer(counts), .int(round)], work: pass)
      try stream.launchElements(
        try library.kernel("topk_pick", in: "TopK"), count: 1,
        [.buffer(state), .buffer(counts), .int(round)], work: Work(bytes: 8 * Double(bins)))
    }
    try stream.launchElements(
      try library.kernel("topk_append", in: "TopK"), count: count,
      [.buffer(buffer), .buffer(state), .buffer(counts), .buffer(keys)], work: pass)
    try stream.launchElements(
      try library.kernel("topk_rank", in: "TopK"), count: kept,
      [.buffer(buffer), .buffer(keys), .buffer(values.buffer), .buffer(indices.buffer)],
      work: Work(operations: 2 * Double(kept) * Double(kept), bytes: 8 * Double(kept)))
  }
}
