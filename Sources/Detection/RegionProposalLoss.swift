import Tensors

extension RegionProposalNetwork {
  /// The losses on sampled anchors (spec detector 2.3).
  ///
  /// Binary cross entropy of the objectness of all sampled anchors and the absolute error of the
  /// positives' deltas, both summed and divided by the number of sampled anchors of the batch, where
  /// each image counts at least one positive and one negative.
  ///
  /// - Parameters:
  ///   - output: What the network said.
  ///   - samples: The sampled anchors of each image.
  /// - Returns: Two scalars.
  /// - Throws: `OpenCLError` when the device fails.
  public func losses(
    _ output: RegionProposalOutput, _ samples: [AnchorSample]
  ) throws -> (objectness: Tensor, box: Tensor) {
    let images = output.logits[0].shape[0]
    precondition(samples.count == images, "\(samples.count) samples for \(images) images")
    let sampled = samples.reduce(0) {
      $0 + max($1.positives.count, 1) + max($1.negatives.count, 1)
    }
    let divisor = Float(sampled) + Self.divisorFloor
    let logits = output.logits.map { $0.reshaped([$0.count, 1]) }
    let deltas = output.deltas.map { $0.reshaped([$0.count / 4, 4]) }

    let positives = AnchorRows(output, samples.map(\.positives))
    let negatives = AnchorRows(output, samples.map(\.negatives))
    // Level by level: the positives of a level stand before its negatives.
    let chosen = zip(positives.rows, negatives.rows).map { $0 + $1 }
    let targets = zip(positives.rows, negatives.rows).flatMap {
      [Float](repeating: 1, count: $0.count) + [Float](repeating: 0, count: $1.count)
    }
    let objectness = try Self.gathered(logits, chosen)
    let box = try Self.gathered(deltas, positives.rows)
    let wanted = positives.order.flatMap { image, position in
      samples[image].targets[4 * position..<4 * position + 4]
    }
    return (
      try objectness.binaryCrossEntropy(
        targets: targets.isEmpty ? [0] : targets, weights: targets.isEmpty ? [0] : nil,
        divisor: divisor),
      try box.smoothL1(
        try Tensor(
          wanted.isEmpty ? [0, 0, 0, 0] : wanted, shape: box.shape, on: box.stream,
          label: "targets"), beta: 0, divisor: divisor)
    )
  }

  /// Keeps the divisor above 0, as in the reference.
  static let divisorFloor: Float = 1.19e-7

  /// The rows of all levels one after the other; one row of zeros, through which no gradient flows,
  /// when there are none.
  private static func gathered(_ levels: [Tensor], _ rows: [[Int32]]) throws -> Tensor {
    let parts = try zip(levels, rows).filter { !$1.isEmpty }.map { try $0.gatheredRows($1) }
    if parts.isEmpty { return try levels[0].gatheredRows([-1]) }
    return parts.count == 1 ? parts[0] : try Tensor.concatenated(parts, axis: 0)
  }
}

/// Anchors of a batch, sorted into the rows of each level's flattened map.
private struct AnchorRows {
  /// Rows of each level's `[N·H·W·A, ...]`.
  private(set) var rows: [[Int32]] = []
  /// Image and position in its list, in the order of the rows level by level.
  private(set) var order: [(image: Int, position: Int)] = []

  init(_ output: RegionProposalOutput, _ anchors: [[Int]]) {
    var first = 0
    for level in output.logits {
      let count = level.count / max(1, level.shape[0])
      var rows: [Int32] = []
      for (image, list) in anchors.enumerated() {
        for (position, anchor) in list.enumerated()
        where anchor >= first && anchor < first + count {
          rows.append(Int32(image * count + anchor - first))
          order.append((image, position))
        }
      }
      self.rows.append(rows)
      first += count
    }
    precondition(
      order.count == anchors.reduce(0) { $0 + $1.count }, "an anchor lies outside all levels")
  }
}
