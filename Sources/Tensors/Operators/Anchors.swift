import OpenCL

/// Sampled anchors of a batch, with what they were matched with.
public struct SampledAnchors {
  /// Anchors of each level, corners `[m, 4]`.
  public let levels: [Tensor]
  /// Which anchors were drawn; they count one level after the other.
  public let sample: SampledRows
  /// int32 `[N, total]`, a ground truth of the image for every positive.
  public let matches: Tensor
  /// The ground truth.
  public let truths: TruthBoxes

  /// Puts a sample together.
  ///
  /// - Parameters:
  ///   - levels: Anchors of each level, corners `[m, 4]`.
  ///   - sample: Which anchors were drawn.
  ///   - matches: int32 `[N, total]`.
  ///   - truths: The ground truth.
  public init(levels: [Tensor], sample: SampledRows, matches: Tensor, truths: TruthBoxes) {
    precondition(
      matches.shape == [truths.images, levels.reduce(0) { $0 + $1.shape[0] }],
      "matches \(matches.shape) for anchors \(levels.map(\.shape))")
    self.levels = levels
    self.sample = sample
    self.matches = matches
    self.truths = truths
  }

  fileprivate var wanted: Int { sample.rows.shape[1] }
  fileprivate var images: Int { sample.rows.shape[0] }
  /// Where the anchors of each level start among all.
  fileprivate var starts: [Int] {
    levels.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.shape[0]) }
  }
}

extension Tensor {
  /// The anchors of a map: these base boxes `[A, 4]` at every cell, cells in rows.
  ///
  /// Source: spec detector 2.3, Anchors.
  ///
  /// - Parameters:
  ///   - height: Rows of the map.
  ///   - width: Columns of the map.
  ///   - stride: Pixels between cells.
  /// - Returns: Corners `[height * width * A, 4]`.
  /// - Throws: `OpenCLError` when the device fails.
  public func anchors(height: Int, width: Int, stride: Int) throws -> Tensor {
    precondition(rank == 2 && shape[1] == 4, "base anchors \(shape)")
    let count = height * width * shape[0]
    let result = try Tensor(uninitialized: [count, 4], on: stream, label: "anchors")
    try stream.launchElements(
      try stream.library.kernel("anchors_lay", in: "Anchors"), count: count,
      [
        .buffer(buffer), .buffer(result.buffer), .float(Float(stride)), .int(width),
        .int(shape[0]),
      ], work: Work(operations: 6 * Double(count), bytes: 16 * Double(count)))
    return result
  }

  /// The binary cross entropy of the objectness of sampled anchors (spec detector 2.3, Losses).
  ///
  /// - Parameters:
  ///   - logits: Objectness of each level, `[N, H, W, A]`.
  ///   - anchors: The sampled anchors.
  /// - Returns: The sum over all samples over their number, where each image counts at least one
  ///   positive and one negative; a scalar.
  /// - Throws: `OpenCLError` when the device fails.
  public static func anchorObjectnessLoss(
    _ logits: [Tensor], _ anchors: SampledAnchors
  ) throws -> Tensor {
    let sample = anchors.sample
    return try anchorLoss(
      logits, anchors, columns: 1, kernel: "anchors_objectness", name: "anchorObjectnessLoss"
    ) { _ in [.buffer(sample.rows.buffer), .buffer(sample.counts.buffer)] }
  }

  /// The absolute error of the deltas of sampled positive anchors (spec detector 2.3, Losses).
  ///
  /// - Parameters:
  ///   - deltas: Deltas of each level, `[N, H, W, 4·A]`.
  ///   - anchors: The sampled anchors.
  /// - Returns: The sum over positives and coordinates over the same number as
  ///   ``anchorObjectnessLoss(_:_:)``; a scalar.
  /// - Throws: `OpenCLError` when the device fails.
  public static func anchorDeltaLoss(
    _ deltas: [Tensor], _ anchors: SampledAnchors
  ) throws -> Tensor {
    let (sample, truths) = (anchors.sample, anchors.truths)
    return try anchorLoss(
      deltas, anchors, columns: 4, kernel: "anchors_deltas", name: "anchorDeltaLoss"
    ) { level in
      [
        .buffer(anchors.levels[level].buffer), .buffer(truths.corners.buffer),
        .buffer(truths.offsets.buffer), .buffer(anchors.matches.buffer),
        .buffer(sample.rows.buffer), .buffer(sample.counts.buffer),
      ]
    }
  }

  /// Runs the kernels of a loss level by level, forward and backward.
  private static func anchorLoss(
    _ maps: [Tensor], _ anchors: SampledAnchors, columns: Int, kernel: String, name: String,
    operands: @escaping (_ level: Int) -> [KernelArgument]
  ) throws -> Tensor {
    let (images, wanted) = (anchors.images, anchors.wanted)
    precondition(
      maps.count == anchors.levels.count
        && zip(maps, anchors.levels).allSatisfy { $0.count == columns * images * $1.shape[0] },
      "\(name): maps \(maps.map(\.shape)) for anchors \(anchors.levels.map(\.shape))")
    let stream = anchors.sample.rows.stream
    let starts = anchors.starts
    // The sizes that both kernels get: where the level starts, and how long everything is.
    func sizes(_ level: Int) -> [KernelArgument] {
      [.int(starts[level]), .int(anchors.levels[level].shape[0])]
        + (columns == 4 ? [.int(starts[starts.count - 1])] : []) + [.int(wanted)]
    }
    let work = Work(
      operations: Double(24 * images * wanted), bytes: Double(16 * images * wanted * columns))
    let inputs = maps.map { $0.detached() }
    let losses = try Tensor(repeating: 0, shape: [images * wanted], on: stream, label: "losses")
    for (level, map) in inputs.enumerated() {
      try stream.launchElements(
        try stream.library.kernel("\(kernel)_forward", in: "Anchors"), count: losses.count,
        [.buffer(map.buffer)] + operands(level) + [.buffer(losses.buffer)] + sizes(level),
        work: work)
    }
    let loss = try Tensor(uninitialized: [], on: stream, label: "loss")
    try stream.launchRows(
      try stream.library.kernel("anchors_total_forward", in: "Anchors"), rows: 1,
      [
        .buffer(losses.buffer), .buffer(anchors.sample.counts.buffer), .buffer(loss.buffer),
        .int(images), .int(losses.count),
      ], work: Work(operations: Double(losses.count), bytes: Double(4 * losses.count)))
    let needed = maps.map(\.needsGradient)
    return loss.differentiable(from: maps, name) { gradient in
      try inputs.indices.map { level in
        guard needed[level] else { return nil }
        let output = try Tensor(
          repeating: 0, shape: inputs[level].shape, on: stream, label: "gradient")
        try stream.launchElements(
          try stream.library.kernel("\(kernel)_backward", in: "Anchors"), count: images * wanted,
          [.buffer(inputs[level].buffer)] + operands(level)
            + [.buffer(gradient.buffer), .buffer(output.buffer)] + sizes(level) + [.int(images)],
          work: work)
        return output
      }
    }
  }
}
