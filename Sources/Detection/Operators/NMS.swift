import Formats
import OpenCL
import Tensors

extension Tensor {
  /// Greedy non-maximum suppression, wholly on the device.
  ///
  /// Boxes are visited by falling score (equal scores by rising index); a box is dropped when its
  /// IoU with a kept box of the same group is strictly greater than the threshold. A box whose score
  /// is -inf or NaN is left out. No gradient.
  /// Source: spec detector 2.3, Proposals.
  ///
  /// - Parameters:
  ///   - boxes: Corners `[N, n, 4]` of N images: x1, y1, x2, y2.
  ///   - scores: Scores `[N, n]`.
  ///   - groups: Group of each box, int32 `[N, n]`; nil puts all of an image in one.
  ///   - threshold: IoU from 0 to 1.
  ///   - limit: Most boxes of an image to keep; nil keeps any number.
  /// - Returns: Places of the kept boxes in their image by falling score, int32
  ///   `[N, min(limit, n)]`, filled up with -1, and their number, int32 `[N]`.
  package static func nonMaximumSuppression(
    boxes: Tensor, scores: Tensor, groups: Tensor? = nil, threshold: Float, limit: Int? = nil
  ) throws -> (indices: Tensor, count: Tensor) {
    precondition(
      scores.rank == 2 && boxes.shape == scores.shape + [4]
        && groups.map { $0.shape == scores.shape } ?? true,
      "nonMaximumSuppression: boxes \(boxes.shape), scores \(scores.shape)")
    precondition(threshold >= 0, "nonMaximumSuppression: threshold \(threshold)")
    let (stream, images, size) = (boxes.stream, scores.shape[0], scores.shape[1])
    let kept = max(0, min(limit ?? size, size))
    let indices = try Tensor(
      uninitialized: [images, kept], on: stream, elementType: .int32, label: "kept boxes")
    let count = try Tensor(
      uninitialized: [images], on: stream, elementType: .int32, label: "kept box count")
    guard images * kept > 0 else {
      try stream.queue.fill(count.buffer, pattern: 0)
      return (indices, count)
    }
    let sorted = try scores.largest(of: RowSegments(lengths: [size], limit: size))
    let group = groups.map { KernelArgument.buffer($0.buffer) } ?? .null
    // Greedy suppression compares each box with those kept before it.
    let pairs = Double(images) * Double(size) * Double(kept)
    guard stream.family == .cpu else {
      let words = size.dividedUp(by: 32)
      let all = images * size * words
      let mask = try stream.queue.allocate(bytes: 4 * all, label: "suppression mask")
      try stream.launchElements(
        try stream.library.kernel("nms_pairs", in: "NMS"), count: all,
        [
          .buffer(boxes.buffer), group, .buffer(sorted.indices.buffer), .buffer(mask),
          .float(threshold), .int(size), .int(words),
        ], work: Work(operations: 16 * 16 * Double(all), bytes: 4 * Double(all)))
      try stream.launchRows(
        try stream.library.kernel("nms_scan", in: "NMS"), rows: images,
        [
          .buffer(sorted.values.buffer), .buffer(sorted.indices.buffer), .buffer(mask),
          .buffer(indices.buffer), .buffer(count.buffer), .int(kept), .int(words), .int(size),
        ], work: Work(operations: Double(all), bytes: 4 * Double(all)))
      return (indices, count)
    }
    let padded = size.roundedUp(toMultipleOf: 16)
    let keptBoxes = try stream.queue.allocate(bytes: 20 * images * padded, label: "kept corners")
    let keptGroups = try stream.queue.allocate(bytes: 4 * images * padded, label: "kept groups")
    try stream.launchRows(
      try stream.library.kernel("nms_forward_cpu", in: "NMS"), rows: images,
      [
        .buffer(boxes.buffer), group, .buffer(sorted.values.buffer),
        .buffer(sorted.indices.buffer), .buffer(keptBoxes), .buffer(keptGroups),
        .buffer(indices.buffer), .buffer(count.buffer), .float(threshold), .int(kept), .int(size),
      ], work: Work(operations: 8 * pairs, bytes: 12 * pairs))
    return (indices, count)
  }
}
