import Formats
import Geometry
import Masks
import Tensors

extension MaskHead {
  /// The loss on the positives of sampled regions: the mean binary cross entropy over all cells of
  /// their masks (spec detector 2.8).
  ///
  /// - Parameters:
  ///   - maps: The detector's maps.
  ///   - batch: The images with the masks of their ground truth.
  ///   - positives: The sampled regions of each image that hold an object.
  /// - Returns: A scalar; 0 without positives.
  func loss(
    _ maps: [Tensor], batch: DetectionBatch, positives: [[RegionTargets.Positive]]
  ) throws -> Tensor {
    let stream = batch.images.stream
    guard isShared || positives.contains(where: { !$0.isEmpty }) else {
      return try Tensor(repeating: 0, shape: [], on: stream, label: "loss_mask")
    }
    let logits = try self(
      try configuration.pooling(
        maps, regions: try Tensor.regions([Region](positives.map { $0.map(\.box) }), on: stream)),
      training: true)
    let targets = zip(batch.groundTruth, positives).flatMap { truth, positives in
      Self.targets(
        positives, masks: truth.masks, width: batch.images.shape[2], height: batch.images.shape[1],
        side: configuration.side)
    }
    return try logits.binaryCrossEntropy(
      targets: cellByCell(targets), divisor: Float(max(targets.count, 1)))
  }

  /// The wanted masks of the positives of one image.
  ///
  /// - Parameters:
  ///   - positives: The positives.
  ///   - masks: The masks of the image's ground truth.
  ///   - width: Padded width of the batch.
  ///   - height: Padded height of the batch.
  ///   - side: Cells per row and column.
  /// - Returns: `[positives, side, side]`, row by row.
  static func targets(
    _ positives: [RegionTargets.Positive], masks: [MaskCrop], width: Int, height: Int, side: Int
  ) -> [Float] {
    precondition(
      positives.allSatisfy { masks.indices.contains($0.truth) },
      "\(masks.count) masks, but a positive wants another")
    return Parallel.map(count: positives.count) { index in
      masks[positives[index].truth].target(
        positives[index].box, width: width, height: height, side: side)
    }.flatMap { $0 }
  }

  /// The masks of boxes of one image.
  ///
  /// - Parameters:
  ///   - maps: The detector's maps.
  ///   - image: The image's place in the batch.
  ///   - boxes: Boxes in pixels of the resized image.
  /// - Returns: For each box `side` times `side` probabilities, row by row.
  func probabilities(_ maps: [Tensor], image: Int, boxes: [Box]) throws -> [[Float]] {
    let pooled = try configuration.pooling(
      maps,
      regions: try Tensor.regions(
        boxes.map { Region(image: image, box: $0) }, on: maps[0].stream))
    let values = rowByRow(try self(pooled, training: false).sigmoid().floats())
    let cells = configuration.side * configuration.side
    return boxes.indices.map { Array(values[$0 * cells..<($0 + 1) * cells]) }
  }
}
