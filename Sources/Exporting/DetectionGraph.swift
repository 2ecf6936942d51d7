import Detection
import ONNX

/// From scores to detections, as `DetectionRule.select` chooses them, and their masks.
struct DetectionGraph {
  let parts: DetectorParts
  let network: BackboneGraph
  let picture: PictureGraph

  /// The detections of a picture, best first.
  struct Output {
    /// Corners `[n, 4]` in pixels of the original picture.
    let boxes: GraphValue
    /// `[n]`, from 0 to 1.
    let scores: GraphValue
    /// Places in the list of names, int64 `[n]`.
    let labels: GraphValue
    /// `[n, side, side]`, from 0 to 1; nil without a mask head.
    let masks: GraphValue?
  }

  /// Adds the choice of detections.
  ///
  /// - Parameters:
  ///   - head: What the box head says.
  ///   - maps: The detector's maps, finest first.
  func output(_ head: HeadGraph.Output, maps: [GraphValue]) throws -> Output {
    let graph = head.boxes.graph
    let chosen = graph.scoped("detections") { self.chosen(head) }
    let boxes = head.boxes.gathered(chosen.rows)
    let masks: GraphValue? = try graph.scoped("masks") {
      parts.configuration.mask.enabled ? try self.masks(boxes, maps) : nil
    }
    return graph.scoped("detections") {
      Output(boxes: original(boxes), scores: chosen.scores, labels: chosen.labels, masks: masks)
    }
  }

  private func chosen(
    _ head: HeadGraph.Output
  ) -> (rows: GraphValue, labels: GraphValue, scores: GraphValue) {
    let graph = head.boxes.graph
    let rule = parts.configuration.head.detections
    let byClass = head.ranks.transposed([1, 0])
    let kept = BoxGraph.suppressed(
      head.boxes, scores: byClass, limit: rule.detectionsPerImage, overlap: rule.nmsThreshold,
      threshold: head.threshold)
    // Of equal ranks the lower proposal, then the lower class, comes first.
    let classes = Double(parts.isBase.count)
    let keys = kept.at(2, axis: 1) * classes + kept.at(1, axis: 1)
    let ordered = keys.best(keys.shape, largest: false).values
    let ranks = head.ranks.reshaped([-1]).gathered(ordered)
    let best = ranks.best(graph.list([rule.detectionsPerImage]).minimum(ranks.shape))
    let found = ordered.gathered(best.indices)
    let scores = head.score(best.values)
    // Logits were not asked for the least score.
    let shown = scores.isGreater(than: scores.number(Double(parts.scoreThreshold))).trueIndices
    let rows = (found / classes).gathered(shown)
    return (rows, found.gathered(shown) - rows * classes, scores.gathered(shown))
  }

  private func original(_ boxes: GraphValue) -> GraphValue {
    let scales = [picture.scale.x, picture.scale.y].map { $0.unsqueezed([0]) }
    return BoxGraph.clipped(
      boxes / GraphValue.concatenated(scales + scales, axis: 0), to: picture.original)
  }

  private func masks(_ boxes: GraphValue, _ maps: [GraphValue]) throws -> GraphValue {
    let graph = boxes.graph
    let mask = parts.configuration.mask
    let place = "roi_head.mask_head"
    let pooled = RegionGraph.pooled(boxes, from: maps, mask.pooling)
    let map = try (0..<mask.convolutions).reduce(pooled.features) { x, index in
      try network.block(x, "\(place).convs.\(index)", kernel: 3).mapped("Relu")
    }
    let larger = graph.node(
      "ConvTranspose",
      [
        map, try parts.weights("\(place).upsample.weight"),
        try parts.weights("\(place).upsample.bias"),
      ],
      map.type, ["kernel_shape": .integers([2, 2]), "strides": .integers([2, 2])]
    ).mapped("Relu")
    let values = try network.convolution(larger, "\(place).conv_logits", kernel: 1)
      .mapped("Sigmoid")
    return pooled.restored(values.at(0, axis: 1))
  }
}
