import OpenCL
import Tensors

/// The proposals of one image, on the device.
public struct Proposals {
  /// Corners `[min(limit, candidates), 4]` by falling score; rows behind `count` are zero.
  public let boxes: Tensor
  /// Objectness of each box, from 0 to 1; behind `count` zero.
  public let scores: Tensor
  /// Number of proposals, int32 `[1]`.
  public let count: Tensor

  /// Starts to copy the proposals to the host without waiting.
  ///
  /// - Returns: The copy under way.
  /// - Throws: `OpenCLError` when the device failed.
  public func readLater() throws -> PendingProposals {
    PendingProposals(
      boxes: try boxes.readLater(), scores: try scores.readLater(), count: try count.readLater())
  }
}

/// The proposals of one image on their way to the host.
public struct PendingProposals {
  fileprivate let boxes: PendingRead
  fileprivate let scores: PendingRead
  fileprivate let count: PendingRead

  /// Waits for the proposals.
  ///
  /// - Returns: Boxes in pixels of the resized image and their objectness, best first.
  /// - Throws: `OpenCLError` when the device failed.
  public func read() throws -> (boxes: [Box], scores: [Float]) {
    let size = try Int(count.integers().first ?? 0)
    return (
      Array(try [Box](corners: boxes.floats()).prefix(size)),
      Array(try scores.floats().prefix(size))
    )
  }
}

/// Chooses the proposals of one image from the head's outputs, wholly on the device.
///
/// The best of each level by logit are decoded and limited to the image; boxes without width or
/// height are dropped, then overlapping ones level by level; the best over all levels remain.
/// Source: spec detector 2.3, Proposals.
///
/// - Parameters:
///   - scores: Objectness logits, one level each: `[H * W * A]`.
///   - deltas: Deltas, one level each: `[H * W * A, 4]`.
///   - anchors: Anchors, one level each: `[H * W * A, 4]`.
///   - imageSize: Size of the image without padding.
///   - perLevel: Most boxes of a level before suppression.
///   - limit: Most proposals.
///   - nmsThreshold: IoU above which the worse of two boxes of a level is dropped.
///   - minimumSize: Width and height of a proposal exceed it.
///   - coder: Normalisation of the deltas.
/// - Returns: The proposals.
/// - Throws: `OpenCLError` when the device fails.
public func selectProposals(
  scores: [Tensor], deltas: [Tensor], anchors: [Tensor], imageSize: (width: Float, height: Float),
  perLevel: Int, limit: Int, nmsThreshold: Float = 0.7, minimumSize: Float = 0,
  coder: BoxCoder = .anchors
) throws -> Proposals {
  precondition(
    scores.count == deltas.count && scores.count == anchors.count,
    "selectProposals: \(scores.count) levels of scores, \(deltas.count) of deltas")
  let levels = scores.indices.map {
    BoxLevel(scores: scores[$0].detached(), deltas: deltas[$0].detached(), boxes: anchors[$0])
  }
  let best = try Tensor.bestDecodedBoxes(
    levels, perLevel: perLevel, coding: coder.coding, imageSize: imageSize,
    minimumSize: minimumSize)
  let kept = try Tensor.nonMaximumSuppression(
    boxes: best.boxes, scores: best.scores, groups: best.levels, threshold: nmsThreshold,
    limit: limit)
  let collected = try Tensor.collectedBoxes(best.boxes, scores: best.scores, kept: kept.indices)
  return Proposals(boxes: collected.boxes, scores: collected.scores, count: kept.count)
}
