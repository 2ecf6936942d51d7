import Detection
import Geometry
import ONNX

/// The region proposal network and the choice of proposals, as `selectProposals` makes it.
struct ProposalGraph {
  let configuration: RegionProposalConfiguration
  let network: BackboneGraph
  let picture: PictureGraph

  /// The proposals of the picture, best first.
  ///
  /// - Parameter maps: The detector's maps, finest first.
  /// - Returns: Corners `[R, 4]` in pixels of the resized picture.
  func proposals(_ maps: [GraphValue]) throws -> GraphValue {
    let graph = maps[0].graph
    let anchors = AnchorGenerator(configuration)
    let levels = try maps.enumerated().map { level, map in
      try graph.scoped("proposals/level\(level)") {
        try candidates(
          map, bases: anchors.baseAnchors(level: level), stride: anchors.strides[level])
      }
    }
    return graph.scoped("proposals") {
      let boxes = GraphValue.concatenated(levels.map(\.boxes), axis: 0)
      let scores = GraphValue.concatenated(levels.map(\.scores), axis: 0)
      let limit = graph.list([configuration.limits(training: false).total])
      return boxes.gathered(scores.best(limit.minimum(scores.shape)).indices)
    }
  }

  /// The boxes of a level that suppression leaves, with their logits, best first.
  private func candidates(
    _ map: GraphValue, bases: [Box], stride: Int
  ) throws -> (boxes: GraphValue, scores: GraphValue) {
    let graph = map.graph
    let limits = configuration.limits(training: false)
    let head = try outputs(map)
    // Cells in rows, the anchors of a cell innermost.
    let logits = head.logits.transposed([0, 2, 3, 1]).reshaped([-1])
    let deltas = head.deltas.transposed([0, 2, 3, 1]).reshaped([-1, 4])
    let best = logits.best(graph.list([limits.perLevel]).minimum(logits.shape))
    let boxes = BoxGraph.decoded(
      self.anchors(of: map, bases: bases, stride: stride).gathered(best.indices),
      deltas: deltas.gathered(best.indices), coder: .anchors, picture: picture)
    let extent = boxes.sliced(1, 2..<4) - boxes.sliced(1, 0..<2)
    let hasArea = extent.isGreater(than: extent.number(0))
    let isBox = hasArea.at(0, axis: 1).and(hasArea.at(1, axis: 1))
    let scores = isBox.chosen(best.values, else: best.values.number(-.infinity))
    let kept = BoxGraph.suppressed(
      boxes, scores: scores.unsqueezed([0]), limit: limits.total,
      overlap: configuration.nmsThreshold, threshold: -.greatestFiniteMagnitude
    ).at(2, axis: 1)
    return (boxes.gathered(kept), scores.gathered(kept))
  }

  private func outputs(_ map: GraphValue) throws -> (logits: GraphValue, deltas: GraphValue) {
    let features = try network.convolution(map, "rpn_head.rpn_conv", kernel: 3).mapped("Relu")
    let deltas = try network.convolution(features, "rpn_head.rpn_reg", kernel: 1)
    guard configuration.detached else {
      return (try network.convolution(features, "rpn_head.rpn_cls", kernel: 1), deltas)
    }
    let hidden = try network.convolution(features, "rpn_head.rpn_cls.0", kernel: 3).mapped("Relu")
    return (try network.convolution(hidden, "rpn_head.rpn_cls.2", kernel: 1), deltas)
  }

  /// The anchors of a map, `[H·W·A, 4]`.
  private func anchors(of map: GraphValue, bases: [Box], stride: Int) -> GraphValue {
    let graph = map.graph
    func offsets(_ axis: Int, _ shape: [Int]) -> GraphValue {
      (GraphValue.range(map.length(axis)).cast(to: .float) * Double(stride)).reshaped(shape)
    }
    let alongX = offsets(3, [1, -1, 1, 1]) * graph.constant([1, 0, 1, 0], .float)
    let alongY = offsets(2, [-1, 1, 1, 1]) * graph.constant([0, 1, 0, 1], .float)
    let cell = graph.constant(
      bases.corners.map(Double.init), .float, shape: [bases.count, 4])
    return (alongX + alongY + cell).reshaped([-1, 4])
  }
}
