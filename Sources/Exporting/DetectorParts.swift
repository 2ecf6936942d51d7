import Checkpoints
import Detection
import ONNX

/// What a graph of a detector is made of.
struct DetectorParts {
  /// The detector's shape.
  let configuration: DetectorConfiguration
  /// Sizes of the text encoder.
  let clip: CLIPConfiguration
  /// The bound of a resized picture's long side.
  let longSide: Int
  /// The bound of a resized picture's short side.
  let shortSide: Int
  /// Class embeddings `[C, D']`, unit rows, row by row.
  let embeddings: HostTensor
  /// For each class whether the ensemble leans on the main head.
  let isBase: [Bool]
  /// The least score of a detection.
  let scoreThreshold: Float
  /// The weights of detector and text encoder, with the layouts of PyTorch.
  let weights: GraphWeights
}

/// Finds weights by name and places each in the graph once.
final class GraphWeights {
  private let graph: GraphBuilder
  private let detector: [String: HostTensor]
  private let text: CLIPWeights
  private var placed: [String: GraphValue] = [:]

  /// - Parameters:
  ///   - graph: Where they go.
  ///   - detector: The detector's parameters by name.
  ///   - text: The CLIP model.
  init(_ graph: GraphBuilder, detector: [String: HostTensor], text: CLIPWeights) {
    self.graph = graph
    self.detector = detector
    self.text = text
  }

  /// A parameter of the detector that the configuration says is there.
  func callAsFunction(_ name: String) throws -> GraphValue {
    try place(name) { try host(name) }
  }

  /// A parameter of the detector, or nil when it has none of the name: a bias that norm replaces.
  func optional(_ name: String) throws -> GraphValue? {
    detector[name] == nil ? nil : try self(name)
  }

  /// The numbers of a parameter of the detector.
  func host(_ name: String) throws -> HostTensor {
    guard let tensor = detector[name] else {
      throw CheckpointError.missingTensor(
        path: "model", name: name, remedy: "the configuration is of another model")
    }
    return tensor
  }

  /// A weight of the text encoder by its OpenAI name, or some of its rows.
  func text(_ name: String, rows: Range<Int>? = nil) throws -> GraphValue {
    let label = rows.map { "text/\(name)[\($0.lowerBound)-\($0.upperBound)]" } ?? "text/\(name)"
    return try place(label) {
      let tensor = try textHost(name)
      guard let rows else { return tensor }
      let width = tensor.shape.dropFirst().reduce(1, *)
      return HostTensor(
        shape: [rows.count] + tensor.shape.dropFirst(),
        floats: Array(try tensor.floats()[rows.lowerBound * width..<rows.upperBound * width]))
    }
  }

  /// The numbers of a weight of the text encoder.
  func textHost(_ name: String) throws -> HostTensor { try text.tensor(name) }

  /// Numbers that were worked out for the graph.
  func derived(_ name: String, _ tensor: HostTensor) throws -> GraphValue {
    try place(name) { tensor }
  }

  private func place(_ name: String, _ tensor: () throws -> HostTensor) throws -> GraphValue {
    if let known = placed[name] { return known }
    let tensor = try tensor()
    let value = graph.initializer(name, .float, shape: tensor.shape, bytes: tensor.bytes)
    placed[name] = value
    return value
  }
}
