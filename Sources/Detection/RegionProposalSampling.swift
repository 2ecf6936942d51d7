import Formats
import Geometry
import Tensors

extension RegionProposalNetwork {
  /// Lays anchors out on maps.
  ///
  /// - Parameter maps: `[N, H, W, ...]` of each level.
  /// - Returns: The anchors, the same for every image.
  package func grid(_ maps: [Tensor]) throws -> AnchorGrid {
    try AnchorGrid(
      bases: bases,
      maps: zip(maps, configuration.anchorStrides).map { ($0.shape[1], $0.shape[2], $1) })
  }

  /// Samples anchors of a batch for the losses (spec detector 2.3), wholly on the device.
  ///
  /// - Parameters:
  ///   - grid: The anchors of the batch.
  ///   - maps: `[N, H, W, ...]` of each level.
  ///   - frames: Each image's own size; anchors of cells outside are left out.
  ///   - truths: Each image's boxes, crowds excluded.
  ///   - random: Where the choice for each image comes from.
  /// - Returns: The sampled anchors with what they were matched with.
  package func sample(
    _ grid: AnchorGrid, maps: [Tensor], frames: [ImageView], truths: TruthBoxes,
    random: [CounterRandom]
  ) throws -> SampledAnchors {
    let candidates = CandidateBoxes(
      grid.anchors,
      grids: grid.counts.indices.map { level in
        CandidateBoxes.Grid(
          count: grid.counts[level],
          columns: maps[level].shape[2] * configuration.anchorsPerCell,
          limits: frames.map {
            let padded = $0.padded()
            return anchors.limits(
              level: level, imageHeight: padded.height, imageWidth: padded.width)
          })
      })
    let matches = try Tensor.matchedBoxes(
      candidates, truths: truths,
      thresholds: MatchingThresholds(
        positive: configuration.positiveOverlap, negative: configuration.negativeOverlap,
        lowQuality: configuration.lowQualityOverlap))
    let sampler = BalancedSampler(
      count: configuration.batchSize, positiveFraction: configuration.positiveFraction)
    return SampledAnchors(
      grid: grid, sample: try matches.sampledRows(sampler, random: random),
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
  package func losses(
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
  /// - Returns: The proposals of the batch, on the device.
  package func proposals(
    _ output: RegionProposalOutput, _ grid: AnchorGrid, frames: [ImageView],
    limits: ProposalLimits
  ) throws -> Proposals {
    let (images, stream) = (frames.count, grid.anchors.stream)
    /// The maps of all levels as rows of images.
    func rows(_ maps: [Tensor], _ columns: [Int]) throws -> Tensor {
      let parts = zip(maps, grid.counts).map { $0.detached().reshaped([images, $1] + columns) }
      return parts.count == 1 ? parts[0] : try Tensor.concatenated(parts, axis: 1)
    }
    return try stream.withoutGradients {
      try selectProposals(
        scores: try rows(output.logits, []), deltas: try rows(output.deltas, [4]),
        anchors: grid.anchors, imageSizes: frames.map { (Float($0.width), Float($0.height)) },
        levels: RowSegments(lengths: grid.counts, limit: limits.perLevel), limit: limits.total,
        nmsThreshold: configuration.nmsThreshold)
    }
  }
}
