import OpenCL

extension Tensor {
  /// Greedy non-maximum suppression, wholly on the device.
  ///
  /// Boxes are visited by falling score (equal scores by rising index); a box is dropped when its
  /// IoU with a kept box of the same group is strictly greater than the threshold. A box whose score
  /// is -inf or NaN is left out. No gradient.
  /// Source: spec detector 2.3, Proposals.
  ///
  /// - Parameters:
  ///   - boxes: Corners `[n, 4]`: x1, y1, x2, y2.
  ///   - scores: Scores `[n]`.
  ///   - groups: Group of each box, int32 `[n]`; nil puts all in one.
  ///   - threshold: IoU from 0 to 1.
  ///   - limit: Most boxes to keep; nil keeps any number.
  /// - Returns: Places of the kept boxes by falling score, int32 `[min(limit, n)]`, filled up with -1,
  ///   and their number, int32 `[1]`.
  /// - Throws: `OpenCLError` when the device fails.
  public static func nonMaximumSuppression(
    boxes: Tensor, scores: Tensor, groups: Tensor? = nil, threshold: Float, limit: Int? = nil
  ) throws -> (indices: Tensor, count: Tensor) {
    let (stream, size) = (boxes.stream, scores.count)
    precondition(
      boxes.shape == [size, 4] && scores.rank == 1 && (groups.map { $0.count == size } ?? true),
      "nonMaximumSuppression: boxes \(boxes.shape), scores \(scores.shape)")
    precondition(threshold >= 0, "nonMaximumSuppression: threshold \(threshold)")
    let kept = max(0, min(limit ?? size, size))
    let indices = try Tensor(
      uninitialized: [kept], on: stream, elementType: .int32, label: "kept boxes")
    let count = try Tensor(
      uninitialized: [1], on: stream, elementType: .int32, label: "kept box count")
    guard kept > 0 else {
      try stream.queue.fill(count.buffer, pattern: 0)
      return (indices, count)
    }
    let sorted = try scores.topK(size)
    let group = groups.map { KernelArgument.buffer($0.buffer) } ?? .null
    // Greedy suppression compares each box with those kept before it.
    let pairs = Double(size) * Double(kept)
    guard stream.family == .cpu else {
      let words = (size + 31) / 32
      let mask = try stream.queue.allocate(bytes: 4 * size * words, label: "suppression mask")
      let removed = try stream.queue.allocate(bytes: 4 * words, label: "suppressed boxes")
      try stream.launchElements(
        try stream.library.kernel("nms_pairs", in: "NMS"), count: size * words,
        [
          .buffer(boxes.buffer), group, .buffer(sorted.indices.buffer), .buffer(mask),
          .float(threshold), .int(size), .int(words),
        ], work: Work(operations: 16 * Double(size) * Double(size), bytes: 4 * Double(size * words))
      )
      try stream.queue.launch(
        try stream.library.kernel("nms_scan", in: "NMS"), global: [ComputeStream.lanes],
        local: [ComputeStream.lanes],
        [
          .buffer(sorted.values.buffer), .buffer(sorted.indices.buffer), .buffer(mask),
          .buffer(removed), .buffer(indices.buffer), .buffer(count.buffer), .int(kept),
          .int(words), .int(size),
        ], work: Work(operations: Double(size * words), bytes: 4 * Double(size * words)))
      return (indices, count)
    }
    let padded = (size + 15) / 16 * 16
    let keptBoxes = try stream.queue.allocate(bytes: 20 * padded, label: "kept corners")
    let keptGroups = try stream.queue.allocate(bytes: 4 * padded, label: "kept groups")
    try stream.queue.launch(
      try stream.library.kernel("nms_forward_cpu", in: "NMS"), global: [1], local: [1],
      [
        .buffer(boxes.buffer), group, .buffer(sorted.values.buffer),
        .buffer(sorted.indices.buffer), .buffer(keptBoxes), .buffer(keptGroups),
        .buffer(indices.buffer), .buffer(count.buffer), .float(threshold), .int(kept), .int(size),
      ], work: Work(operations: 8 * pairs, bytes: 12 * pairs))
    return (indices, count)
  }
}
