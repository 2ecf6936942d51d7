import OpenCL
import Tensors

/// The anchors of all levels of a batch, the same for every image.
package struct AnchorGrid {
  /// Corners `[total, 4]`, one level after the other, cells in rows.
  package let anchors: Tensor
  /// Anchors of each level.
  package let counts: [Int]

  /// Puts anchors together.
  package init(anchors: Tensor, counts: [Int]) {
    precondition(
      anchors.shape == [counts.reduce(0, +), 4], "anchors \(anchors.shape) in levels of \(counts)")
    self.anchors = anchors
    self.counts = counts
  }

  /// Lays base boxes out at every cell of maps.
  ///
  /// Source: spec detector 2.3, Anchors.
  ///
  /// - Parameters:
  ///   - bases: The boxes of a cell at the origin, corners `[A, 4]`, for each level.
  ///   - maps: Rows, columns and pixels between cells of each level.
  package init(bases: [Tensor], maps: [(height: Int, width: Int, stride: Int)]) throws {
    precondition(bases.count == maps.count && !bases.isEmpty, "levels without base anchors")
    let stream = bases[0].stream
    counts = zip(bases, maps).map { $0.shape[0] * $1.height * $1.width }
    anchors = try Tensor(uninitialized: [counts.reduce(0, +), 4], on: stream, label: "anchors")
    var first = 0
    for (level, (base, map)) in zip(bases, maps).enumerated() {
      try stream.launchElements(
        try stream.library.kernel("anchors_lay", in: "Anchors"), count: counts[level],
        [
          .buffer(base.buffer), .buffer(anchors.buffer), .float(Float(map.stride)),
          .int(map.width), .int(base.shape[0]), .int(first),
        ], work: Work(operations: 6 * Double(counts[level]), bytes: 16 * Double(counts[level])))
      first += counts[level]
    }
  }

  /// Number of anchors.
  package var total: Int { anchors.shape[0] }
}

/// Sampled anchors of a batch, with what they were matched with.
package struct SampledAnchors {
  /// All anchors.
  package let grid: AnchorGrid
  /// Which anchors were drawn; they count one level after the other.
  package let sample: SampledRows
  /// int32 `[N, total]`, a ground truth of the image for every positive.
  package let matches: Tensor
  /// The ground truth.
  package let truths: TruthBoxes

  /// Puts a sample together.
  package init(grid: AnchorGrid, sample: SampledRows, matches: Tensor, truths: TruthBoxes) {
    precondition(
      matches.shape == [truths.images, grid.total],
      "matches \(matches.shape) for \(grid.total) anchors")
    self.grid = grid
    self.sample = sample
    self.matches = matches
    self.truths = truths
  }

  fileprivate var wanted: Int { sample.rows.shape[1] }
  fileprivate var images: Int { sample.rows.shape[0] }
}

extension Tensor {
  /// The binary cross entropy of the objectness of sampled anchors (spec detector 2.3, Losses).
  ///
  /// - Parameters:
  ///   - logits: Objectness of each level, `[N, H, W, A]`.
  ///   - anchors: The sampled anchors.
  /// - Returns: The sum over all samples over their number, where each image counts at least one
  ///   positive and one negative; a scalar.
  package static func anchorObjectnessLoss(
    _ logits: [Tensor], _ anchors: SampledAnchors
  ) throws -> Tensor {
    let sample = anchors.sample
    return try anchorLoss(
      logits, anchors, columns: 1, kernel: "anchors_objectness", name: "anchorObjectnessLoss",
      operands: [.buffer(sample.rows.buffer), .buffer(sample.counts.buffer)])
  }

  /// The absolute error of the deltas of sampled positive anchors (spec detector 2.3, Losses).
  ///
  /// - Parameters:
  ///   - deltas: Deltas of each level, `[N, H, W, 4·A]`.
  ///   - anchors: The sampled anchors.
  /// - Returns: The sum over positives and coordinates over the same number as
  ///   ``anchorObjectnessLoss(_:_:)``; a scalar.
  package static func anchorDeltaLoss(
    _ deltas: [Tensor], _ anchors: SampledAnchors
  ) throws -> Tensor {
    let (sample, truths) = (anchors.sample, anchors.truths)
    return try anchorLoss(
      deltas, anchors, columns: 4, kernel: "anchors_deltas", name: "anchorDeltaLoss",
      operands: [
        .buffer(anchors.grid.anchors.buffer), .buffer(truths.corners.buffer),
        .buffer(truths.offsets.buffer), .buffer(anchors.matches.buffer),
        .buffer(sample.rows.buffer), .buffer(sample.counts.buffer),
      ])
  }

  /// Runs the kernels of a loss level by level, forward and backward.
  private static func anchorLoss(
    _ maps: [Tensor], _ anchors: SampledAnchors, columns: Int, kernel: String, name: String,
    operands: [KernelArgument]
  ) throws -> Tensor {
    let (images, wanted) = (anchors.images, anchors.wanted)
    precondition(
      maps.map(\.count) == anchors.grid.counts.map { columns * images * $0 },
      "\(name): maps \(maps.map(\.shape)) for anchors in levels of \(anchors.grid.counts)")
    let stream = anchors.sample.rows.stream
    let counts = anchors.grid.counts
    // The sizes that both kernels get: where the level starts, and how long everything is.
    func sizes(_ level: Int) -> [KernelArgument] {
      [.int(counts[..<level].reduce(0, +)), .int(counts[level])]
        + (columns == 4 ? [.int(anchors.grid.total)] : []) + [.int(wanted)]
    }
    let work = Work(
      operations: Double(24 * images * wanted), bytes: Double(16 * images * wanted * columns))
    let inputs = maps.map { $0.detached() }
    let losses = try Tensor(repeating: 0, shape: [images * wanted], on: stream, label: "losses")
    for (level, map) in inputs.enumerated() {
      try stream.launchElements(
        try stream.library.kernel("\(kernel)_forward", in: "Anchors"), count: losses.count,
        [.buffer(map.buffer)] + operands + [.buffer(losses.buffer)] + sizes(level),
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
          [.buffer(inputs[level].buffer)] + operands
            + [.buffer(gradient.buffer), .buffer(output.buffer)] + sizes(level) + [.int(images)],
          work: work)
        return output
      }
    }
  }
}
