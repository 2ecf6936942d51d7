import Formats
import Tensors

/// The anchors of a batch, level by level.
public struct AnchorGrid {
  /// Anchors of each level, corners `[H * W * A, 4]`.
  public let levels: [Tensor]
  /// Anchors of one row of each level.
  let columns: [Int]
}

extension RegionProposalNetwork {
  /// Lays anchors out on maps.
  ///
  /// - Parameter maps: `[N, H, W, ...]` of each level.
  /// - Returns: The anchors, the same for every image.
  /// - Throws: `OpenCLError` when the device fails.
  public func grid(_ maps: [Tensor]) throws -> AnchorGrid {
    AnchorGrid(
      levels: try zip(bases, zip(maps, configuration.strides)).map { base, level in
        try base.anchors(
          height: level.0.shape[1], width: level.0.shape[2], stride: level.1)
      }, columns: maps.map { $0.shape[2] * configuration.anchorsPerCell })
  }

  /// Samples anchors of a batch for the losses (spec detector 2.3), wholly on the device.
  ///
  /// - Parameters:
  ///   - grid: The anchors of the batch.
  ///   - frames: Each image's own size; anchors of cells outside are left out.
  ///   - truths: Each image's boxes, crowds excluded.
  ///   - random: Where the choice for each image comes from.
  /// - Returns: The sampled anchors with what they were matched with.
  /// - Throws: `OpenCLError` when the device fails.
  public func sample(
    _ grid: AnchorGrid, frames: [ImageFrame], truths: TruthBoxes, random: [CounterRandom]
  ) throws -> SampledAnchors {
    let candidates = grid.levels.indices.map { level in
      CandidateBoxes(
        grid.levels[level], columns: grid.columns[level],
        limits: frames.map {
          anchors.limits(
            level: level, imageHeight: $0.paddedHeight, imageWidth: $0.paddedWidth)
        })
    }
    let matches = try Tensor.matchedBoxes(
      candidates, truths: truths,
      thresholds: MatchingThresholds(
        positive: configuration.positiveOverlap, negative: configuration.negativeOverlap,
        lowQuality: configuration.lowQualityOverlap))
    let sampler = BalancedSampler(
      count: configuration.samples, positiveFraction: configuration.positiveFraction)
    return SampledAnchors(
      levels: grid.levels, sample: try matches.sampledRows(sampler, random: random),
      matches: matches, truths: truths)
  }

  /// The losses on sampled anchors (spec detector 2.3).
  ///
  /// Binary cross entropy of the objectness of all sampled anchors and the absolute error of the
  /// positives' deltas, both summed and divided by the number of sampled anchors of the batch, where
  /// each image counts at least one positive and one negative.
  ///
  /// - Parameters:
  ///   - output: What the network said.
  ///   - anchors: The sampled anchors.
  /// - Returns: Two scalars.
  /// - Throws: `OpenCLError` when the device fails.
  public func losses(
    _ output: RegionProposalOutput, _ anchors: SampledAnchors
  ) throws -> (objectness: Tensor, box: Tensor) {
    (
      try Tensor.anchorObjectnessLoss(output.logits, anchors),
      try Tensor.anchorDeltaLoss(output.deltas, anchors)
    )
  }

  /// The best boxes of every image (spec detector 2.3); no gradient.
  ///
  /// - Parameters:
  ///   - output: What the network said.
  ///   - grid: The anchors of the batch.
  ///   - frames: Each image's own size.
  ///   - limits: How many stay.
  /// - Returns: The proposals of each image, on the device.
  /// - Throws: `OpenCLError` when the device fails.
  public func proposals(
    _ output: RegionProposalOutput, _ grid: AnchorGrid, frames: [ImageFrame],
    limits: ProposalLimits
  ) throws -> [Proposals] {
    guard let stream = output.logits.first?.stream else { return [] }
    return try stream.withoutGradients {
      try frames.enumerated().map { image, frame in
        func rows(_ map: Tensor, _ columns: [Int]) throws -> Tensor {
          let own = frames.count == 1 ? map : try map.sliced(axis: 0, image..<image + 1)
          return own.reshaped([own.count / columns.reduce(1, *)] + columns)
        }
        return try selectProposals(
          scores: try output.logits.map { try rows($0.detached(), []) },
          deltas: try output.deltas.map { try rows($0.detached(), [4]) }, anchors: grid.levels,
          imageSize: (Float(frame.width), Float(frame.height)), perLevel: limits.perLevel,
          limit: limits.total, nmsThreshold: configuration.overlap)
      }
    }
  }
}
