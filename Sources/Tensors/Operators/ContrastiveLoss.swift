import OpenCL

extension Tensor {
  /// The contrastive loss of queries against keys and a queue of older keys.
  ///
  /// The mean over the S rows of the cross entropy of `temperature * queries . [keys; queue]^T`
  /// with the row's own key as label. Another row's key of the same group and queue entries of the
  /// row's own image are left out. Follows one direction of spec method 1.9 and 1.10.
  ///
  /// Takes memory for S x (S + Q) logits and again that much for their gradient.
  ///
  /// - Parameters:
  ///   - keys: `[S, D]`, as these queries; row s belongs to query s.
  ///   - queue: `[Q, D]`, constants; nil when there are none.
  ///   - temperature: Multiplies the products.
  ///   - groups: One per row; equal numbers are not each other's negatives.
  ///   - images: One per row.
  ///   - queueImages: One per queue entry.
  /// - Returns: The loss, a scalar with gradients to queries and keys; a constant 0 without rows.
  package func contrastiveLoss(
    keys: Tensor, queue: Tensor? = nil, temperature: Float, groups: [Int32], images: [Int32],
    queueImages: [Int32] = []
  ) throws -> Tensor {
    precondition(
      rank == 2 && keys.shape == shape, "contrastive loss of shapes \(shape) and \(keys.shape)")
    precondition(
      groups.count == shape[0] && images.count == shape[0],
      "\(groups.count) groups and \(images.count) images for \(shape[0]) rows")
    precondition(
      queue.map { $0.shape == [queueImages.count, shape[1]] } ?? queueImages.isEmpty,
      "\(queueImages.count) queue images for a queue of shape \(queue?.shape ?? [])")
    guard shape[0] > 0 else {
      return try Tensor(repeating: 0, shape: [], on: stream, label: "loss")
    }
    let keyLogits = try matrixProduct(keys, transposeRight: true)
    let queueLogits: Tensor?
    if let queue, !queueImages.isEmpty {
      queueLogits = try matrixProduct(queue.detached(), transposeRight: true)
    } else {
      queueLogits = nil
    }
    let masks = ContrastiveMasks(
      groups: try Tensor(groups, shape: [groups.count], on: stream, label: "groups"),
      images: try Tensor(images, shape: [images.count], on: stream, label: "images"),
      queueImages: try Tensor(
        queueImages, shape: [queueImages.count], on: stream, label: "queue images"))
    return try keyLogits.maskedCrossEntropy(queueLogits, masks, temperature: temperature)
  }

  private func maskedCrossEntropy(
    _ queueLogits: Tensor?, _ masks: ContrastiveMasks, temperature: Float
  ) throws -> Tensor {
    let (rows, queue) = (shape[0], masks.queueImages.count)
    let scale = 1 / Float(rows)
    let losses = try Tensor(uninitialized: [rows], on: stream, label: "row losses")
    let sums = try Tensor(uninitialized: [rows, 2], on: stream, label: "maxima and sums")
    let columns = Double(rows + queue)
    try stream.launchRows(
      try stream.library.kernel("contrastive_loss_forward", in: "ContrastiveLoss"), rows: rows,
      [
        .buffer(buffer), queueLogits.map { .buffer($0.buffer) } ?? .null,
        .buffer(masks.groups.buffer), .buffer(masks.images.buffer),
        .buffer(masks.queueImages.buffer), .buffer(losses.buffer), .buffer(sums.buffer),
        .int(rows), .int(queue), .float(temperature), .float(scale),
      ], work: Work(operations: 5 * Double(rows) * columns, bytes: 4 * Double(rows) * columns))
    let input = detached()
    let queueInput = queueLogits?.detached()
    // Without a gradient for the queries the queue's columns need none.
    let queueNeedsGradient = queueLogits?.needsGradient ?? false
    let needsGradient = self.needsGradient
    let inputs = [self] + (queueLogits.map { [$0] } ?? [])
    return try losses.total().differentiable(from: inputs, "contrastiveLoss") { gradient in
      let stream = input.stream
      let output = try Tensor(uninitialized: input.shape, on: stream, label: "gradient")
      let queueOutput =
        queueNeedsGradient
        ? try Tensor(uninitialized: [rows, queue], on: stream, label: "gradient") : nil
      let visited = queueNeedsGradient ? queue : 0
      let elements = Double(rows) * Double(rows + visited)
      try stream.launchRows(
        try stream.library.kernel("contrastive_loss_backward", in: "ContrastiveLoss"), rows: rows,
        [
          .buffer(input.buffer), queueInput.map { .buffer($0.buffer) } ?? .null,
          .buffer(masks.groups.buffer), .buffer(masks.images.buffer),
          .buffer(masks.queueImages.buffer), .buffer(sums.buffer), .buffer(gradient.buffer),
          .buffer(output.buffer), queueOutput.map { .buffer($0.buffer) } ?? .null, .int(rows),
          .int(visited), .float(temperature), .float(scale),
        ], work: Work(operations: 5 * elements, bytes: 8 * elements))
      let gradients = [needsGradient ? output : nil]
      return queueInput == nil ? gradients : gradients + [queueOutput]
    }
  }
}

/// What decides which columns a query is not compared with.
private struct ContrastiveMasks {
  let groups: Tensor
  let images: Tensor
  let queueImages: Tensor
}
