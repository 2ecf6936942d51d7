import KernelLibrary
import OpenCL

/// What the product of a convolution writes beside its target: mean and variance of its columns, as
/// batch normalisation wants them (`MatrixStatistics.clh`), which need not read it then.
package final class ColumnStatistics {
  /// Mean and 1 / deviation of the columns, `[C]`; undefined until ``isFilled``.
  let mean, inverse: Tensor
  private let runningMean, runningVariance: Tensor
  private let momentum, epsilon: Float
  /// Whether a product wrote them; else they are taken from what it wrote.
  private(set) var isFilled = false

  /// Work-groups above each other whose sums the last one adds up; of more, whose sums a unit takes
  /// longer to read than a launch takes, another launch does.
  private static let mostJoined = 512

  /// Statistics of a batch.
  ///
  /// - Parameters:
  ///   - runningMean: `[C]`, moved in place.
  ///   - runningVariance: `[C]`, moved in place.
  ///   - momentum: The share of this batch in them.
  ///   - epsilon: Added to the variance.
  init(
    runningMean: Tensor, runningVariance: Tensor, momentum: Float, epsilon: Float
  ) throws {
    (self.runningMean, self.runningVariance) = (runningMean, runningVariance)
    (self.momentum, self.epsilon) = (momentum, epsilon)
    mean = try Tensor(like: runningMean, label: "batch mean")
    inverse = try Tensor(like: runningMean, label: "inverse deviation")
  }

  /// What a product writes them with, and the launch after it that it may need.
  struct Part {
    fileprivate let statistics: ColumnStatistics
    fileprivate let blocks: Tensor
    fileprivate let lastGroup: LastGroup?
    fileprivate let rows: Int
    fileprivate let tile: WarpTile

    /// What the product is compiled with.
    var parameters: [String: Int] {
      var parameters = ["STATISTICS": 1, "LANES": tile.items, "VECTOR": 4]
      guard lastGroup != nil else { return parameters }
      parameters["STATISTICS"] = 2
      // Of the tile whose sums take 64 registers two groups fill a unit, as without statistics.
      if tile.rows * tile.columns == 64 * tile.items, tile.items == 256 {
        parameters[KernelLibrary.mostRegisters] = 128
      }
      return parameters
    }

    /// The product's arguments: its pieces, of which there is one, and what is written.
    func arguments() throws -> [KernelArgument] {
      let channels = statistics.mean.count
      guard let lastGroup else { return [.null, .null, .buffer(blocks.buffer)] }
      let counters = try lastGroup.counters(channels.dividedUp(by: tile.columns))
      return [.null, .buffer(counters), .buffer(blocks.buffer)] + statistics.results
        + [.float(statistics.momentum), .float(statistics.epsilon)]
    }

    /// Joins the blocks where the product did not.
    func finish() throws {
      statistics.isFilled = true
      guard lastGroup == nil else { return }
      let (stream, channels) = (blocks.stream, statistics.mean.count)
      try stream.launchRows(
        try stream.kernel(
          "batch_norm_statistics_fold", in: "BatchNorm", storing: .float32, channels: channels),
        rows: stream.foldGroups(channels),
        [.buffer(blocks.buffer)] + statistics.results
          + [.null, .int(rows), .int(channels), .int(tile.rows)]
          + [.float(statistics.momentum), .float(statistics.epsilon)],
        work: Work(operations: 4 * Double(blocks.count), bytes: 4 * Double(blocks.count)))
    }
  }

  /// Mean, inverse and the running statistics.
  private var results: [KernelArgument] {
    [mean, inverse, runningMean, runningVariance].map { .buffer($0.buffer) }
  }

  /// What a product of so many rows writes by a tile.
  ///
  /// - Parameters:
  ///   - rows: The product's rows.
  ///   - tile: What a work-group owns of it.
  func part(rows: Int, by tile: WarpTile) throws -> Part {
    let (stream, count) = (mean.stream, rows.dividedUp(by: tile.rows))
    return Part(
      statistics: self,
      blocks: try Tensor(
        uninitialized: [count, 2, mean.count], on: stream, label: "batch norm partial sums"),
      lastGroup: count <= Self.mostJoined ? stream.lastGroup : nil, rows: rows, tile: tile)
  }
}

extension MatrixLaunch {
  /// Whether a product by tensor cores may write statistics of its columns: one of bfloat16, in one
  /// piece, that nothing is added to.
  var mayHaveStatistics: Bool {
    operandType == .bfloat16 && targetType == .bfloat16 && batch == 1 && !scatters && !adds
      && bias == nil && epilogue == nil && targetStride == nil && columns % 4 == 0
  }
}

extension ColumnStatistics {
  /// Statistics for a trial.
  convenience init(of columns: Int, on stream: ComputeStream) throws {
    func running(_ value: Float) throws -> Tensor {
      try Tensor(repeating: value, shape: [columns], on: stream, label: "variant trial")
    }
    try self.init(
      runningMean: running(0), runningVariance: running(1), momentum: 1, epsilon: 1e-5)
  }

  /// The largest error of the mean beside the deviation, and of the deviation's inverse beside it;
  /// 0 where no product wrote them.
  ///
  /// - Parameter values: The product's target, row by row.
  func error(of values: [Float]) throws -> Double {
    guard isFilled else { return 0 }
    let (means, inverses) = (try mean.floats(), try inverse.floats())
    let (columns, rows) = (means.count, Double(values.count / means.count))
    var worst = 0.0
    for column in 0..<columns {
      let own = stride(from: column, to: values.count, by: columns).map { Double(values[$0]) }
      let centre = own.reduce(0, +) / rows
      let variance = own.reduce(0) { $0 + ($1 - centre) * ($1 - centre) } / rows
      let inverse = 1 / (variance + Double(epsilon)).squareRoot()
      for error in [
        abs(Double(means[column]) - centre) * inverse, abs(Double(inverses[column]) / inverse - 1),
      ] where !(error <= worst) { worst = error }
    }
    return worst
  }
}
