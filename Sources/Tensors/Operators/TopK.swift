import Formats
import OpenCL

/// How rows of scores fall into segments, and how many of each are kept.
package struct RowSegments: Sendable, Equatable {
  /// Scores of each segment.
  package let lengths: [Int]
  /// How many of each are kept.
  package let kept: [Int]

  /// Describes segments.
  ///
  /// - Parameters:
  ///   - lengths: Scores of each segment, one segment after the other.
  ///   - limit: Most scores of a segment that are kept.
  package init(lengths: [Int], limit: Int) {
    self.lengths = lengths
    kept = lengths.map { max(0, min(limit, $0)) }
  }

  /// Scores of a row.
  package var total: Int { lengths.reduce(0, +) }
  /// Scores of a row that are kept.
  package var totalKept: Int { kept.reduce(0, +) }

  /// Where each segment of a row starts, among the scores and among those that are kept.
  package func starts(on stream: ComputeStream) throws -> (all: Tensor, kept: Tensor) {
    func sums(_ sizes: [Int]) throws -> Tensor {
      try Tensor(
        sizes.reduce(into: [Int32(0)]) { $0.append($0[$0.count - 1] + Int32($1)) },
        shape: [sizes.count + 1], on: stream, label: "segments")
    }
    return (try sums(lengths), try sums(kept))
  }
}

extension Tensor {
  /// The largest scores in falling order.
  ///
  /// As ``largest(of:)`` of a single row and segment.
  ///
  /// - Parameter k: How many; more than there are gives all.
  /// - Returns: The scores and their places in this vector, both `[min(k, n)]`.
  package func topK(_ k: Int) throws -> (values: Tensor, indices: Tensor) {
    precondition(rank == 1, "topK of shape \(shape)")
    let best = try reshaped([1, count]).largest(of: RowSegments(lengths: [count], limit: k))
    return (
      best.values.reshaped([best.values.count]), best.indices.reshaped([best.indices.count])
    )
  }

  /// The largest scores of each segment of each row, in falling order.
  ///
  /// Equal scores come by rising index; NaN comes last. No gradient. Off CPUs the time grows with
  /// the square of what is kept; up to some ten thousand a segment is meant.
  ///
  /// - Parameter segments: How these rows `[N, total]` fall into segments.
  /// - Returns: The scores and their places in their row, both `[N, totalKept]`, one segment after
  ///   the other.
  package func largest(of segments: RowSegments) throws -> (values: Tensor, indices: Tensor) {
    precondition(
      rank == 2 && elementType == .float32 && shape[1] == segments.total,
      "segments \(segments.lengths) of shape \(shape)")
    let (rows, kept) = (shape[0], segments.totalKept)
    let values = try Tensor(uninitialized: [rows, kept], on: stream, label: "top scores")
    let indices = try Tensor(
      uninitialized: [rows, kept], on: stream, elementType: .int32, label: "top indices")
    guard rows * kept > 0 else { return (values, indices) }
    let scratch = try stream.queue.allocate(bytes: 16 * rows * kept, label: "top keys")
    let starts = try segments.starts(on: stream)
    guard stream.family == .cpu else {
      try rank(segments, starts: starts, keys: scratch, values: values, indices: indices)
      return (values, indices)
    }
    try stream.launchRows(
      try stream.library.kernel("topk_forward_cpu", in: "TopK"),
      rows: rows * segments.lengths.count,
      [
        .buffer(buffer), .buffer(values.buffer), .buffer(indices.buffer), .buffer(scratch),
        .buffer(starts.all.buffer), .buffer(starts.kept.buffer), .int(segments.lengths.count),
        .int(shape[1]), .int(kept),
      ],
      work: Work(
        operations: 16 * Double(count), bytes: 16 * Double(count) + 80 * Double(rows * kept)))
    return (values, indices)
  }

  // `BINS`, `BITS` and `CHUNK` of `TopK.cl`.
  static let (topKBins, topKBits, topKChunk) = (2048, 11, 4096)

  /// Selects by rounds of histograms and ranks by counting, for devices of many work-items.
  private func rank(
    _ segments: RowSegments, starts: (all: Tensor, kept: Tensor), keys: Buffer, values: Tensor,
    indices: Tensor
  ) throws {
    let (binCount, bits, chunk) = (Self.topKBins, Self.topKBits, Self.topKChunk)
    let library = stream.library
    let (number, total, kept) = (segments.lengths.count, shape[1], segments.totalKept)
    let parts = shape[0] * number
    // Places of a row: their bits make keys differ.
    let indexBits = Int.bitWidth - (total - 1).leadingZeroBitCount
    let chunks = max(1, (segments.lengths.max() ?? 0).dividedUp(by: chunk))
    let state = try stream.queue.allocate(bytes: 16 * parts, label: "top k state")
    let bins = try stream.queue.allocate(bytes: 4 * parts * binCount, label: "top k histogram")
    try stream.launchElements(
      try library.kernel("topk_start", in: "TopK"), count: parts * binCount,
      [.buffer(starts.kept.buffer), .buffer(state), .buffer(bins), .int(number)],
      work: Work(bytes: 4 * Double(parts * binCount)))
    let pass = Work(operations: 8 * Double(count), bytes: 4 * Double(count))
    // With every score kept the k-th key is 0 and no round is needed.
    let rounds = kept < total ? (32 + indexBits).dividedUp(by: bits) : 0
    for round in 0..<rounds {
      try stream.launchRows(
        try library.kernel("topk_histogram", in: "TopK"), rows: parts * chunks,
        [
          .buffer(buffer), .buffer(state), .buffer(starts.all.buffer), .buffer(bins), .int(round),
          .int(indexBits), .int(number), .int(chunks), .int(total),
        ], work: pass)
      try stream.launchRows(
        try library.kernel("topk_pick", in: "TopK"), rows: parts,
        [.buffer(state), .buffer(bins), .int(round), .int(indexBits)],
        work: Work(bytes: 8 * Double(parts * binCount)))
    }
    try stream.launchRows(
      try library.kernel("topk_append", in: "TopK"), rows: parts * chunks,
      [
        .buffer(buffer), .buffer(state), .buffer(starts.all.buffer), .buffer(starts.kept.buffer),
        .buffer(bins), .buffer(keys), .int(indexBits), .int(number), .int(chunks), .int(total),
        .int(kept),
      ], work: pass)
    let pairs = Double(shape[0]) * segments.kept.reduce(0) { $0 + Double($1) * Double($1) }
    try stream.launchElements(
      try library.kernel("topk_rank", in: "TopK"), count: shape[0] * kept,
      [
        .buffer(buffer), .buffer(keys), .buffer(starts.kept.buffer), .buffer(values.buffer),
        .buffer(indices.buffer), .int(indexBits), .int(number), .int(total), .int(kept),
      ], work: Work(operations: 2 * pairs, bytes: 8 * Double(shape[0] * kept)))
  }
}
