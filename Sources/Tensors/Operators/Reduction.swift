import Formats
import OpenCL

extension Tensor {
  /// The sum of all elements, in a fixed order.
  ///
  /// - Returns: A scalar; 0 for an empty tensor.
  package func sum() throws -> Tensor { try scaledSum(1, "sum") }

  /// The mean of all elements, in a fixed order.
  ///
  /// - Returns: A scalar; NaN for an empty tensor.
  package func mean() throws -> Tensor { try scaledSum(1 / Float(count), "mean") }

  private func scaledSum(_ scale: Float, _ name: String) throws -> Tensor {
    precondition(elementType == .float32, "\(name) of \(elementType)")
    let blocks = max(1, count.dividedUp(by: Self.sumBlock))
    let partial = try Tensor(uninitialized: [blocks], on: stream, label: "partial sums")
    try launchSum(into: partial, scale: blocks == 1 ? scale : 1)
    var result = partial
    if blocks > 1 {
      result = try Tensor(uninitialized: [], on: stream, label: name)
      // One block adds up the partial sums of all the others.
      try partial.launchSum(into: result, scale: scale)
    }
    let shape = shape
    return result.reshaped([]).differentiable(from: [self], name) { gradient in
      let spread = try Tensor(uninitialized: shape, on: gradient.stream, label: "\(name) gradient")
      try gradient.stream.launchElements(
        try gradient.stream.library.kernel("reduction_sum_backward", in: "Reduction"),
        count: spread.count, [.buffer(gradient.buffer), .buffer(spread.buffer), .float(scale)],
        work: Work(operations: Double(spread.count), bytes: 4 * Double(spread.count)))
      return [spread]
    }
  }

  private func launchSum(into result: Tensor, scale: Float) throws {
    let block = result.count == 1 ? max(1, count) : Self.sumBlock
    try stream.launchRows(
      try stream.library.kernel("reduction_sum_forward", in: "Reduction"), rows: result.count,
      [.buffer(buffer), .buffer(result.buffer), .float(scale), .int(block), .int(count)],
      work: Work(operations: Double(count), bytes: 4 * Double(count)))
  }

  /// The sums over all axes but the last, in a fixed order: the gradient of a bias.
  ///
  /// - Returns: `[C]` for a tensor whose last axis has `C` elements.
  package func columnSums() throws -> Tensor { try columnSums(addedTo: nil) }

  /// The gradient of a bias that was added to every row, where `self` is that of the result; nil where
  /// it was added to what the bias has collected.
  func biasGradient(of bias: Tensor) throws -> Tensor? {
    let sum = bias.collectedSum()
    let gradient = try columnSums(addedTo: sum)
    return sum == nil ? gradient : nil
  }

  private func columnSums(addedTo sum: Tensor?) throws -> Tensor {
    precondition(rank >= 1, "column sums of a scalar")
    let columns = shape[rank - 1]
    let rows = shape.dropLast().reduce(1, *)
    let result =
      try stream.family == .cpu
      ? chunkedColumnSums(rows: rows, columns: columns)
      : slabColumnSums(rows: rows, columns: columns, addedTo: sum)
    let (shape, type) = (shape, elementType)
    return result.differentiable(from: [self], "column sums") { gradient in
      let spread = try Tensor(
        uninitialized: shape, on: gradient.stream, elementType: type,
        label: "column sums gradient")
      guard spread.count > 0 else { return [spread] }
      try gradient.stream.launchRows(
        try gradient.stream.kernel("reduction_columns_backward", in: "Reduction", storing: type),
        rows: rows, [.buffer(gradient.buffer), .buffer(spread.buffer), .int(columns)],
        work: Work(bytes: Double(spread.byteCount)))
      return [spread]
    }
  }

  /// A CPU's way: chunks of rows, and then all partial sums at once, few as they are.
  private func chunkedColumnSums(rows: Int, columns: Int) throws -> Tensor {
    let kernel = try stream.kernel(
      "reduction_columns_forward", in: "Reduction", storing: elementType)
    func sums(of tensor: Tensor, _ kernel: Kernel, rows: Int, size: Int) throws -> Tensor {
      let chunks = max(1, rows.dividedUp(by: size))
      let sums = try Tensor(
        uninitialized: chunks == 1 ? [columns] : [chunks, columns], on: stream,
        label: "column sums")
      try stream.queue.launch(
        kernel, global: [chunks, columns.dividedUp(by: Self.columnBlock)], local: [1, 1],
        [
          .buffer(tensor.buffer), .buffer(sums.buffer), .int(rows), .int(columns), .int(size),
          .int(0),
        ], work: Work(operations: Double(tensor.count), bytes: Double(tensor.byteCount)))
      return sums
    }
    let partial = try sums(of: self, kernel, rows: rows, size: Self.columnChunk)
    guard partial.rank > 1 else { return partial }
    return try sums(
      of: partial,
      try stream.kernel("reduction_columns_forward", in: "Reduction", storing: .float32),
      rows: partial.shape[0], size: partial.shape[0])
  }

  /// A GPU's way: blocks of rows of slabs of columns, added up by the last of their work-groups or by
  /// another launch.
  private func slabColumnSums(rows: Int, columns: Int, addedTo sum: Tensor?) throws -> Tensor {
    let blocks = SumBlocks(rows: rows, channels: columns, on: stream)
    let result =
      try sum ?? Tensor(uninitialized: [columns], on: stream, label: "column sums")
    let adds = KernelArgument.int(sum == nil ? 0 : 1)
    guard blocks.count > 1 else {
      // An empty sum is written too.
      try launchColumnSums(blocks.count == 0 ? blocks.joined : blocks, into: result, adds)
      return result
    }
    let partial = try Tensor(
      uninitialized: [blocks.count, columns], on: stream, label: "partial column sums")
    if let lastGroup = stream.lastGroup {
      try launchColumnSums(
        blocks, into: result, adds, lastGroup,
        [.buffer(partial.buffer), .buffer(try lastGroup.counters(blocks.slabs))])
    } else {
      try launchColumnSums(blocks, into: partial, .int(0))
      try partial.launchColumnSums(blocks.joined, into: result, adds)
    }
    return result
  }

  private func launchColumnSums(
    _ blocks: SumBlocks, into result: Tensor, _ adds: KernelArgument,
    _ lastGroup: LastGroup? = nil, _ pieces: [KernelArgument] = []
  ) throws {
    let (rows, columns) = rowsAndChannels
    try stream.launchSums(
      try stream.kernel(
        "reduction_columns_forward", in: "Reduction", storing: elementType, channels: columns,
        parameters: blocks.parameters(on: stream, lastGroup)),
      blocks,
      [
        .buffer(buffer), .buffer(result.buffer), .int(rows), .int(columns), .int(blocks.size),
        adds,
      ] + pieces, work: Work(operations: Double(count), bytes: Double(byteCount)))
  }

  /// Elements that one work-group adds up.
  private static let sumBlock = 65536
  /// Rows of one partial column sum on a CPU.
  private static let columnChunk = 1024
  /// Columns of a work-group on a CPU, `COLUMN_BLOCK` of `Reduction.cl`.
  static let columnBlock = 128
}
