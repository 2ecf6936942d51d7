import Checkpoints
import Detection
import Foundation
import ONNX

/// The box head: from pooled regions to scores of classes and boxes.
struct HeadGraph {
  let parts: DetectorParts
  let network: BackboneGraph
  let picture: PictureGraph

  private static let place = "roi_head.bbox_head"
  private var head: BoxHeadConfiguration { parts.configuration.head }
  private var weights: GraphWeights { parts.weights }

  /// What the head says about the proposals.
  struct Output {
    /// Corners `[R, 4]` in pixels of the resized picture.
    let boxes: GraphValue
    /// What suppression orders by, `[R, C]`.
    let ranks: GraphValue
    /// The score of a rank, or of several.
    let score: (GraphValue) -> GraphValue
    /// Ranks of detections are larger.
    let threshold: Float
  }

  /// Adds the head.
  ///
  /// - Parameters:
  ///   - maps: The detector's maps, finest first.
  ///   - proposals: Corners `[R, 4]`.
  func output(_ maps: [GraphValue], proposals: GraphValue) throws -> Output {
    let graph = proposals.graph
    let pooled = graph.scoped("regions") {
      RegionGraph.pooled(proposals, from: maps, parts.configuration.pooling)
    }
    return try graph.scoped("head") {
      let regions =
        parts.configuration.hasPyramid
        ? pooled.features
        : try network.stage(
          pooled.features, "roi_head.shared_head.layer4",
          blocks: parts.configuration.backbone.blocks[3], stride: 2)
      let features = try trunk(regions, Self.place)
      let deltas = try linear(
        try linear(features, "\(Self.place).fc_reg.0").mapped("Relu"), "\(Self.place).fc_reg.2")
      let boxes = BoxGraph.decoded(
        proposals, deltas: pooled.restored(deltas), coder: .proposals, picture: picture)
      let main = pooled.restored(try logits(features, Self.place))
      guard head.activation == .softmax else { return try sigmoid(boxes, logits: main) }
      var scores = main.softmax
      if let ensemble = head.scores {
        let place = "\(Self.place).kd"
        let other = try graph.scoped("second") {
          pooled.restored(try logits(try trunk(regions, place), place)).softmax
        }
        scores = combined(scores, other, ensemble)
      }
      return Output(
        boxes: boxes, ranks: classes(scores), score: { $0 }, threshold: parts.scoreThreshold)
    }
  }

  /// Sigmoid logits order the detections; the trained bias enters the reported score only.
  private func sigmoid(_ boxes: GraphValue, logits: GraphValue) throws -> Output {
    let bias = try weights.host("\(Self.place).cls_bias").floats().first ?? 0
    return Output(
      boxes: boxes, ranks: classes(logits),
      score: { ($0 + Double(bias)).mapped("Sigmoid") }, threshold: -.greatestFiniteMagnitude)
  }

  /// The columns of classes, without the background.
  private func classes(_ values: GraphValue) -> GraphValue {
    values.sliced(1, 0..<parts.isBase.count)
  }

  private func combined(
    _ main: GraphValue, _ other: GraphValue, _ ensemble: EnsembleScores
  ) -> GraphValue {
    let shares = (parts.isBase + [true]).map {
      ensemble.isUniform || $0 ? ensemble.factor : 1 - ensemble.factor
    }
    func row(_ values: [Float]) -> GraphValue {
      main.graph.constant(values.map(Double.init), .float)
    }
    return main.power(row(shares)) * other.power(row(shares.map { 1 - $0 }))
  }

  /// Pooled regions `[R, C, h, w]` as vectors.
  private func trunk(_ regions: GraphValue, _ place: String) throws -> GraphValue {
    let graph = regions.graph
    guard head.kind == .fpn else {
      return graph.node(
        "ReduceMean", [regions], regions.type,
        ["axes": .integers([2, 3]), "keepdims": .integer(0)])
    }
    let map = try (0..<head.convolutions).reduce(regions) { x, index in
      try network.block(x, "\(place).shared_convs.\(index)", kernel: 3).mapped("Relu")
    }
    let flat = graph.node("Flatten", [map], map.type, ["axis": .integer(1)])
    return try linear(flat, "\(place).shared_fcs.0").mapped("Relu")
  }

  /// Scaled cosines with classes and background, `[R, C + 1]`.
  private func logits(_ features: GraphValue, _ place: String) throws -> GraphValue {
    let graph = features.graph
    let words = try linear(features, "\(place).fc_cls")
      .reshaped([-1, head.words, parts.clip.text.width])
    let sentences = try graph.scoped("text") {
      try TextGraph(configuration: parts.clip, feature: head.feature, weights: weights)
        .encode(words: words, count: head.words)
    }
    return (sentences * Double(head.temperatureTest)).linear(
      try weights.derived("classes", try embeddings()), bias: nil)
  }

  /// Class embeddings with that of the background last, `[C + 1, D']`.
  private func embeddings() throws -> HostTensor {
    let width = parts.embeddings.shape[1]
    return HostTensor(
      shape: [parts.isBase.count + 1, width],
      floats: try parts.embeddings.floats() + (try background(width: width)))
  }

  private func background(width: Int) throws -> [Float] {
    let place = "\(Self.place).bg_embedding"
    switch head.background {
    case .zero: return try weights.host(place).floats()
    case .learned:
      let sum = zip(
        try weights.host("\(place).weight").floats(), try weights.host("\(place).bias").floats()
      ).map { $0 + $1 }
      let length = sum.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      return sum.map { Float(Double($0) / max(length, 1e-12)) }
    }
  }

  private func linear(_ x: GraphValue, _ name: String) throws -> GraphValue {
    x.linear(try weights("\(name).weight"), bias: try weights("\(name).bias"))
  }
}
