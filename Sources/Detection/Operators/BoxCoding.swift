import Foundation
import OpenCL
import Tensors

/// How boxes become deltas of reference boxes: normalisation and the limit of sizes.
///
/// Source: spec detector 2.3, Delta codec.
package struct BoxCoding: Sendable, Equatable {
  /// Means of dx, dy, dw, dh.
  package let means: [Float]
  /// Standard deviations of dx, dy, dw, dh.
  package let deviations: [Float]
  /// Largest absolute logarithm of a size ratio when decoding.
  package let maximumLogSize: Float

  /// Describes a codec.
  package init(
    means: [Float] = [0, 0, 0, 0], deviations: [Float] = [1, 1, 1, 1],
    maximumLogSize: Float = Float(log(1000.0 / 16.0))
  ) {
    precondition(means.count == 4 && deviations.count == 4, "a box has four deltas")
    self.means = means
    self.deviations = deviations
    self.maximumLogSize = maximumLogSize
  }

  func statistics(on stream: ComputeStream) throws -> Tensor {
    try Tensor(means + deviations, shape: [8], on: stream, label: "box delta statistics")
  }
}

extension Tensor {
  /// These reference boxes moved by deltas; no gradient.
  ///
  /// - Parameters:
  ///   - deltas: Deltas `[n, 4]`.
  ///   - coding: The normalisation.
  ///   - imageSize: Corners are limited to this image; nil leaves them.
  /// - Returns: Corners `[n, 4]`.
  package func decodedBoxes(
    _ deltas: Tensor, coding: BoxCoding, imageSize: (width: Float, height: Float)? = nil
  ) throws -> Tensor {
    precondition(shape == deltas.shape && shape.last == 4, "boxes \(shape) by \(deltas.shape)")
    let result = try Tensor(uninitialized: shape, on: stream, label: "decoded boxes")
    try stream.launchElements(
      try stream.library.kernel("box_coding_decode", in: "BoxCoding"), count: count / 4,
      [
        .buffer(buffer), .buffer(deltas.buffer),
        .buffer(try coding.statistics(on: stream).buffer), .buffer(result.buffer),
        .float(coding.maximumLogSize), .float(imageSize?.width ?? -1),
        .float(imageSize?.height ?? -1),
      ], work: Work(operations: 6 * Double(count), bytes: 12 * Double(count)))
    return result
  }

  /// The best boxes of each level of each image, decoded, one level after the other; no gradient.
  ///
  /// A box whose width or height does not exceed `minimumSize` gets the score -inf, with which
  /// ``nonMaximumSuppression(boxes:scores:groups:threshold:limit:)`` leaves it out.
  ///
  /// - Parameters:
  ///   - scores: `[N, total]`, compared across levels.
  ///   - deltas: `[N, total, 4]`.
  ///   - boxes: Reference boxes of every image, corners `[total, 4]`.
  ///   - levels: Which boxes belong to a level, and how many of them are kept.
  ///   - coding: The normalisation of the deltas.
  ///   - imageSizes: Corners are limited to each image, `[N, 2]`: width, height.
  ///   - minimumSize: Width and height must exceed it.
  /// - Returns: Corners `[N, m, 4]`, scores `[N, m]` and level numbers, int32 `[N, m]`.
  package static func bestDecodedBoxes(
    scores: Tensor, deltas: Tensor, boxes: Tensor, levels: RowSegments, coding: BoxCoding,
    imageSizes: Tensor, minimumSize: Float
  ) throws -> (boxes: Tensor, scores: Tensor, levels: Tensor) {
    let (stream, images, total) = (scores.stream, scores.shape[0], levels.total)
    precondition(
      scores.shape == [images, total] && deltas.shape == [images, total, 4]
        && boxes.shape == [total, 4] && imageSizes.shape == [images, 2],
      "scores \(scores.shape), deltas \(deltas.shape), boxes \(boxes.shape)")
    let best = try scores.largest(of: levels)
    let kept = levels.totalKept
    let found = (
      boxes: try Tensor(uninitialized: [images, kept, 4], on: stream, label: "candidate boxes"),
      scores: try Tensor(uninitialized: [images, kept], on: stream, label: "candidate scores"),
      levels: try Tensor(
        uninitialized: [images, kept], on: stream, elementType: .int32,
        label: "candidate levels")
    )
    let count = Double(images * kept)
    try stream.launchElements(
      try stream.library.kernel("box_coding_decode_chosen", in: "BoxCoding"),
      count: images * kept,
      [
        .buffer(boxes.buffer), .buffer(deltas.buffer),
        .buffer(try coding.statistics(on: stream).buffer), .buffer(imageSizes.buffer),
        .buffer(try levels.starts(on: stream).kept.buffer), .buffer(best.indices.buffer),
        .buffer(best.values.buffer), .buffer(found.boxes.buffer), .buffer(found.scores.buffer),
        .buffer(found.levels.buffer), .float(coding.maximumLogSize), .float(minimumSize),
        .int(levels.lengths.count), .int(total), .int(kept),
      ], work: Work(operations: 24 * count, bytes: 64 * count))
    return found
  }

  /// Kept boxes of each image with the sigmoid of their scores; no gradient.
  ///
  /// - Parameters:
  ///   - boxes: Corners `[N, m, 4]`.
  ///   - scores: Scores `[N, m]` before the sigmoid.
  ///   - kept: Places in the image's `boxes` or -1, int32 `[N, k]`.
  /// - Returns: Corners `[N, k, 4]` and probabilities `[N, k]`; zeros for places of -1.
  package static func collectedBoxes(
    _ boxes: Tensor, scores: Tensor, kept: Tensor
  ) throws -> (boxes: Tensor, scores: Tensor) {
    precondition(
      boxes.shape == scores.shape + [4] && kept.rank == 2 && kept.shape[0] == scores.shape[0],
      "boxes \(boxes.shape), scores \(scores.shape), kept \(kept.shape)")
    let (stream, count) = (boxes.stream, kept.count)
    let keptBoxes = try Tensor(
      uninitialized: kept.shape + [4], on: stream, label: "proposal boxes")
    let keptScores = try Tensor(
      uninitialized: kept.shape, on: stream, label: "proposal scores")
    try stream.launchElements(
      try stream.library.kernel("box_coding_collect", in: "BoxCoding"), count: count,
      [
        .buffer(boxes.buffer), .buffer(scores.buffer), .buffer(kept.buffer),
        .buffer(keptBoxes.buffer), .buffer(keptScores.buffer), .int(kept.shape[1]),
        .int(scores.shape[1]),
      ], work: Work(operations: 8 * Double(count), bytes: 44 * Double(count)))
    return (keptBoxes, keptScores)
  }
}
