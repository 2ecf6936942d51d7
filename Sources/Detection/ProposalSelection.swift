import Geometry
import OpenCL
import Tensors

/// The proposals of a batch, on the device.
package struct Proposals {
  /// Corners `[N, min(limit, candidates), 4]` by falling score; rows behind the image's count are
  /// zero.
  package let boxes: Tensor
  /// Objectness of each box `[N, ...]`, from 0 to 1; behind the count zero.
  package let scores: Tensor
  /// Number of proposals of each image, int32 `[N]`.
  package let counts: Tensor

  /// Most proposals of an image.
  var limit: Int { boxes.shape[1] }

  /// Starts to copy the proposals to the host without waiting.
  ///
  /// - Returns: The copy under way.
  package func readLater() throws -> PendingProposals {
    PendingProposals(
      boxes: try boxes.readLater(), scores: try scores.readLater(),
      counts: try counts.readLater(), limit: limit)
  }
}

/// The proposals of a batch on their way to the host.
package struct PendingProposals {
  fileprivate let boxes: PendingRead
  fileprivate let scores: PendingRead
  fileprivate let counts: PendingRead
  fileprivate let limit: Int

  /// Waits for the proposals.
  ///
  /// - Returns: For each image boxes in pixels of the resized image and their objectness, best first.
  package func read() throws -> [[ScoredBox]] {
    let (sizes, all, values) = (
      try counts.integers(), [Box](corners: try boxes.floats()), try scores.floats()
    )
    return sizes.enumerated().map { image, size in
      (image * limit..<image * limit + Int(size)).map { ScoredBox(all[$0], score: values[$0]) }
    }
  }
}

/// Chooses the proposals of a batch from the head's outputs, wholly on the device.
///
/// The best of each level by logit are decoded and limited to the image; boxes without width or
/// height are dropped, then overlapping ones level by level; the best over all levels remain.
/// Source: spec detector 2.3, Proposals.
///
/// - Parameters:
///   - scores: Objectness logits `[N, total]`.
///   - deltas: Deltas `[N, total, 4]`.
///   - anchors: Anchors of every image `[total, 4]`.
///   - imageSizes: Size of each image without padding.
///   - levels: Which anchors belong to a level, and most boxes of a level before suppression.
///   - limit: Most proposals of an image.
///   - nmsThreshold: IoU above which the worse of two boxes of a level is dropped.
///   - minimumSize: Width and height of a proposal exceed it.
///   - coder: Normalisation of the deltas.
package func selectProposals(
  scores: Tensor, deltas: Tensor, anchors: Tensor, imageSizes: [(width: Float, height: Float)],
  levels: RowSegments, limit: Int, nmsThreshold: Float = 0.7, minimumSize: Float = 0,
  coder: BoxCoder = .anchors
) throws -> Proposals {
  let best = try Tensor.bestDecodedBoxes(
    scores: scores, deltas: deltas, boxes: anchors, levels: levels, coding: coder.coding,
    imageSizes: try Tensor(
      imageSizes.flatMap { [$0.width, $0.height] }, shape: [imageSizes.count, 2],
      on: scores.stream, label: "image sizes"), minimumSize: minimumSize)
  let kept = try Tensor.nonMaximumSuppression(
    boxes: best.boxes, scores: best.scores, groups: best.levels, threshold: nmsThreshold,
    limit: limit)
  let collected = try Tensor.collectedBoxes(best.boxes, scores: best.scores, kept: kept.indices)
  return Proposals(boxes: collected.boxes, scores: collected.scores, counts: kept.count)
}
