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
    var (result, left) = (self, rows)
    repeat {
      // A CPU adds up all partial sums at once, few as they are.
      let size = stream.family == .cpu && left < rows ? left : rowsOfColumnSum(columns)
      let chunks = max(1, left.dividedUp(by: size))
      let target = chunks == 1 ? sum : nil
      let sums =
        try target
        ?? Tensor(
          uninitialized: chunks == 1 ? [columns] : [chunks, columns], on: stream,
          label: "column sums")
      try result.launchColumnSums(
        into: sums, rows: left, rowsPerGroup: size, adds: target != nil)
      (result, left) = (sums, chunks)
    } while left > 1
    let (shape, type) = (shape, elementType)
    result = result.differentiable(from: [self], "column sums") { gradient in
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
    return result
  }

  /// Rows that a work-group adds up.
  ///
  /// Lanes of a GPU that are not needed for a row take other rows.
  private func rowsOfColumnSum(_ columns: Int) -> Int {
    guard stream.family != .cpu else { return Self.columnChunk }
    var across = 1
    while across < min(columns, stream.lanes) { across *= 2 }
    return Self.laneRows * (stream.lanes / across)
  }

  private func launchColumnSums(
    into result: Tensor, rows: Int, rowsPerGroup: Int, adds: Bool
  ) throws {
    let columns = shape[rank - 1]
    let lanes = stream.family == .cpu ? 1 : stream.lanes
    let block = stream.family == .cpu ? Self.columnBlock : lanes
    let chunks = result.count / max(1, columns)
    try stream.queue.launch(
      try stream.kernel("reduction_columns_forward", in: "Reduction", storing: elementType),
      global: [chunks * lanes, columns.dividedUp(by: block)], local: [lanes, 1],
      [
        .buffer(buffer), .buffer(result.buffer), .int(rows), .int(columns), .int(rowsPerGroup),
        .int(adds ? 1 : 0),
      ], work: Work(operations: Double(count), bytes: Double(byteCount)))
  }

  /// Elements that one work-group adds up.
  private static let sumBlock = 65536
  /// Rows of one partial column sum on a CPU.
  private static let columnChunk = 1024
  /// Rows that a lane of a GPU adds up.
  private static let laneRows = 64
  /// Columns of a work-group on a CPU, `COLUMN_BLOCK` of `Reduction.cl`.
  static let columnBlock = 128
}
