import Checkpoints
import Formats
import ONNX
import Tensors
import Training

/// Writes a detector with its vocabulary as an ONNX graph.
package enum ONNXExport {
  /// Writes the file.
  ///
  /// The graph takes `image`, bytes `[height, width, 3]` (red, green, blue) of any size, and gives
  /// `boxes` `[n, 4]` (x1, y1, x2, y2 in pixels of the image), `scores` `[n]`, `labels` `[n]` (places
  /// in the list of names, which the metadata entry `names` holds as JSON) and with a mask head
  /// `masks` `[n, side, side]` (probabilities over the box), best first.
  ///
  /// - Parameters:
  ///   - detector: The detector with its vocabulary.
  ///   - path: Where to.
  /// - Throws: `CheckpointError`, `OpenCLError`, or `FormatError` when the file cannot be written.
  package static func write(_ detector: ObjectDetector, to path: String) throws {
    let graph = GraphBuilder(name: "baron")
    let parts = try parts(of: detector, in: graph)
    let masks = parts.configuration.mask
    let image = graph.input("image", .uint8, axes: ["height", "width", 3])
    let output = try detections(image, parts)
    graph.output(output.boxes, as: "boxes", axes: ["detections", 4])
    graph.output(output.scores, as: "scores", axes: ["detections"])
    graph.output(output.labels, as: "labels", axes: ["detections"])
    if let values = output.masks {
      graph.output(
        values, as: "masks", axes: ["detections", .length(masks.side), .length(masks.side)])
    }
    try ONNXFile.write(
      graph.model(
        producer: "baron",
        description:
          "An open-vocabulary detector with fixed names: image, uint8 [height, width, 3] in the "
          + "order red, green, blue; boxes in its pixels, best first.",
        metadata: [
          "names": JSONValue.array(detector.vocabulary.map { .string($0) }).text(),
          "score_threshold": "\(parts.scoreThreshold)",
        ]),
      to: path)
  }

  private static func parts(
    of detector: ObjectDetector, in graph: GraphBuilder
  ) throws -> DetectorParts {
    let (model, configuration) = (detector.model, detector.configuration)
    let state = try model.store.state()
    let embeddings = detector.classes.embeddings
    return DetectorParts(
      configuration: configuration.model, clip: model.textEncoder.configuration,
      longSide: configuration.data.longSide, shortSide: configuration.data.testShortSide,
      embeddings: HostTensor(shape: embeddings.shape, floats: try embeddings.floats()),
      isBase: detector.classes.isBase, scoreThreshold: detector.scoreThreshold,
      weights: GraphWeights(
        graph, detector: Dictionary(state.map { ($0.name, $0.tensor) }) { first, _ in first },
        text: try CLIPWeights(folder: configuration.clip.folder)))
  }

  private static func detections(
    _ image: GraphValue, _ parts: DetectorParts
  ) throws -> DetectionGraph.Output {
    let network = BackboneGraph(configuration: parts.configuration, weights: parts.weights)
    let picture = image.graph.scoped("picture") { PictureGraph(image, parts) }
    let maps = try network.maps(picture.input)
    let proposals = try ProposalGraph(
      configuration: parts.configuration.rpn, network: network, picture: picture
    ).proposals(maps)
    let head = try HeadGraph(parts: parts, network: network, picture: picture)
      .output(maps, proposals: proposals)
    return try DetectionGraph(parts: parts, network: network, picture: picture)
      .output(head, maps: maps)
  }
}
