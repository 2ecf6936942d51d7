import Foundation
import OpenCL

/// How boxes become deltas of reference boxes: normalisation and the limit of sizes.
///
/// Source: spec detector 2.3, Delta codec.
public struct BoxCoding: Sendable, Equatable {
  /// Means of dx, dy, dw, dh.
  public let means: [Float]
  /// Standard deviations of dx, dy, dw, dh.
  public let deviations: [Float]
  /// Largest absolute logarithm of a size ratio when decoding.
  public let maximumLogSize: Float

  /// Describes a codec.
  ///
  /// - Parameters:
  ///   - means: Four means.
  ///   - deviations: Four standard deviations.
  ///   - maximumLogSize: Largest absolute logarithm of a size ratio when decoding; log(1000/16).
  public init(
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

/// One level of dense box predictions of one image.
public struct BoxLevel {
  /// Scores `[n]`, compared across levels.
  public let scores: Tensor
  /// Deltas `[n, 4]`.
  public let deltas: Tensor
  /// Reference boxes `[n, 4]`.
  public let boxes: Tensor

  /// Collects a level.
  ///
  /// - Parameters:
  ///   - scores: Scores `[n]`.
  ///   - deltas: Deltas `[n, 4]`.
  ///   - boxes: Reference boxes `[n, 4]`.
  public init(scores: Tensor, deltas: Tensor, boxes: Tensor) {
    precondition(
      deltas.count == 4 * scores.count && boxes.count == 4 * scores.count,
      "level of \(scores.shape) scores, \(deltas.shape) deltas, \(boxes.shape) boxes")
    self.scores = scores
    self.deltas = deltas
    self.boxes = boxes
  }
}

extension Tensor {
  /// The deltas that lead from these reference boxes to targets; no gradient.
  ///
  /// - Parameters:
  ///   - targets: Corners `[n, 4]`.
  ///   - coding: The normalisation.
  /// - Returns: Deltas `[n, 4]`.
  /// - Throws: `OpenCLError` when the device fails.
  public func encodedBoxes(_ targets: Tensor, coding: BoxCoding) throws -> Tensor {
    precondition(shape == targets.shape && shape.last == 4, "boxes \(shape) to \(targets.shape)")
    let result = try Tensor(uninitialized: shape, on: stream, label: "box deltas")
    try stream.launchElements(
      try stream.library.kernel("box_coding_encode", in: "BoxCoding"), count: count / 4,
      [
        .buffer(buffer), .buffer(targets.buffer),
        .buffer(try coding.statistics(on: stream).buffer), .buffer(result.buffer),
      ], work: Work(operations: 6 * Double(count), bytes: 12 * Double(count)))
    return result
  }

  /// These reference boxes moved by deltas; no gradient.
  ///
  /// - Parameters:
  ///   - deltas: Deltas `[n, 4]`.
  ///   - coding: The normalisation.
  ///   - imageSize: Corners are limited to this image; nil leaves them.
  /// - Returns: Corners `[n, 4]`.
  /// - Throws: `OpenCLError` when the device fails.
  public func decodedBoxes(
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

  /// The best boxes of each level, decoded and put one level after the other; no gradient.
  ///
  /// A box whose width or height does not exceed `minimumSize` gets the score -inf, with which
  /// ``nonMaximumSuppression(boxes:scores:groups:threshold:limit:)`` leaves it out.
  ///
  /// - Parameters:
  ///   - levels: The levels, at least one.
  ///   - perLevel: Most boxes of a level.
  ///   - coding: The normalisation of the deltas.
  ///   - imageSize: Corners are limited to this image.
  ///   - minimumSize: Width and height must exceed it.
  /// - Returns: Corners `[m, 4]`, scores `[m]` and level numbers, int32 `[m]`.
  /// - Throws: `OpenCLError` when the device fails.
  public static func bestDecodedBoxes(
    _ levels: [BoxLevel], perLevel: Int, coding: BoxCoding,
    imageSize: (width: Float, height: Float), minimumSize: Float
  ) throws -> (boxes: Tensor, scores: Tensor, levels: Tensor) {
    precondition(!levels.isEmpty, "bestDecodedBoxes of no levels")
    let stream = levels[0].scores.stream
    let total = levels.reduce(0) { $0 + min(perLevel, $1.scores.count) }
    let boxes = try Tensor(uninitialized: [total, 4], on: stream, label: "candidate boxes")
    let scores = try Tensor(uninitialized: [total], on: stream, label: "candidate scores")
    let numbers = try Tensor(
      uninitialized: [total], on: stream, elementType: .int32, label: "candidate levels")
    let statistics = try coding.statistics(on: stream)
    let kernel = try stream.library.kernel("box_coding_decode_chosen", in: "BoxCoding")
    var offset = 0
    for (index, level) in levels.enumerated() {
      let best = try level.scores.topK(perLevel)
      try stream.launchElements(
        kernel, count: best.values.count,
        [
          .buffer(level.boxes.buffer), .buffer(level.deltas.buffer), .buffer(statistics.buffer),
          .buffer(best.indices.buffer), .buffer(best.values.buffer), .buffer(boxes.buffer),
          .buffer(scores.buffer), .buffer(numbers.buffer), .float(coding.maximumLogSize),
          .float(imageSize.width), .float(imageSize.height), .float(minimumSize), .int(index),
          .int(offset),
        ],
        work: Work(
          operations: 24 * Double(best.values.count), bytes: 64 * Double(best.values.count)))
      offset += best.values.count
    }
    return (boxes, scores, numbers)
  }

  /// Kept boxes with the sigmoid of their scores; zeros for places of -1; no gradient.
  ///
  /// - Parameters:
  ///   - boxes: Corners `[m, 4]`.
  ///   - scores: Scores `[m]` before the sigmoid.
  ///   - kept: Places in `boxes` or -1, int32 `[k]`.
  /// - Returns: Corners `[k, 4]` and probabilities `[k]`.
  /// - Throws: `OpenCLError` when the device fails.
  public static func collectedBoxes(
    _ boxes: Tensor, scores: Tensor, kept: Tensor
  ) throws -> (boxes: Tensor, scores: Tensor) {
    let (stream, count) = (boxes.stream, kept.count)
    let keptBoxes = try Tensor(uninitialized: [count, 4], on: stream, label: "proposal boxes")
    let keptScores = try Tensor(uninitialized: [count], on: stream, label: "proposal scores")
    try stream.launchElements(
      try stream.library.kernel("box_coding_collect", in: "BoxCoding"), count: count,
      [
        .buffer(boxes.buffer), .buffer(scores.buffer), .buffer(kept.buffer),
        .buffer(keptBoxes.buffer), .buffer(keptScores.buffer),
      ], work: Work(operations: 8 * Double(count), bytes: 44 * Double(count)))
    return (keptBoxes, keptScores)
  }
}
