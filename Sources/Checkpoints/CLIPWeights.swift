import Formats

/// The weights of a CLIP model under their OpenAI names, whatever file they come from.
///
/// Every tensor is converted to 32-bit floating point, checked against the configuration's shapes
/// and searched for NaN and infinity when it is read.
package struct CLIPWeights: Sendable {
  /// The model's sizes.
  package let configuration: CLIPConfiguration
  /// The file of the weights.
  package var path: String { source.path }
  /// The OpenAI names of all weights, text tower first.
  package var names: [String] { configuration.shapes.map(\.name) }
  private let source: any WeightSource
  private let map: CLIPNameMap
  private let shapes: [String: [Int]]
  /// Under this key the metadata of a file without image tower says so.
  private static let towersKey = "towers"

  /// Opens a Hugging Face model folder.
  ///
  /// - Parameter folder: The folder's path, with `config.json` and `model.safetensors`.
  /// - Throws: ``CheckpointError`` when a file is missing or damaged, or when a weight is missing or
  ///   has another shape than the configuration gives it.
  package init(folder: String) throws {
    let model = try HuggingFaceCLIP(folder: folder)
    try self.init(path: try model.weightsPath(), configuration: model.configuration)
  }

  /// Opens a file of weights: Hugging Face or OpenAI names, or a detector checkpoint.
  ///
  /// - Parameters:
  ///   - path: A safetensors file or a file written by `torch.save`.
  ///   - configuration: The model's sizes; nil tells them from the weights' shapes, with heads of
  ///     64 channels as in all published models.
  /// - Throws: ``CheckpointError`` when the file is damaged, is no CLIP model, or when a weight is
  ///   missing or has another shape than the configuration gives it.
  package init(path: String, configuration: CLIPConfiguration? = nil) throws {
    let source = try openWeights(path: path)
    guard let map = CLIPNameMap(source) else {
      throw CheckpointError.missingTensor(
        path: path, name: "token_embedding.weight",
        remedy: "this is no CLIP model with OpenAI's or Hugging Face's names")
    }
    // Only the attention pooling of a ResNet has this table.
    if let pooling = source.names.first(where: { $0.hasSuffix("attnpool.positional_embedding") }) {
      throw CheckpointError.tensor(
        path: path, name: pooling, reason: HuggingFaceCLIP.resNetReason)
    }
    let sizes =
      try configuration
      ?? CLIPConfiguration(inferredFrom: CLIPShapeReader(source: source, map: map))
    self.configuration = sizes
    self.source = source
    self.map = map
    let isTextOnly = (source as? SafeTensorsFile)?.metadata[Self.towersKey] == "text"
    let held = sizes.shapes.filter { !isTextOnly || !CLIPConfiguration.isOfImageTower($0.name) }
    shapes = Dictionary(held.map { ($0.name, $0.shape) }) { first, _ in first }
    for (name, shape) in held { try checkShape(name, shape) }
  }

  /// Writes the weights of the text tower with the names and types that the file has, for programs
  /// that look at no pictures with CLIP.
  ///
  /// - Parameter path: The safetensors file's path; its folder must exist.
  /// - Throws: ``CheckpointError`` when the source is damaged or the file cannot be written.
  package func writeTextTower(to path: String) throws {
    let names = configuration.shapes.filter { !CLIPConfiguration.isOfImageTower($0.name) }.flatMap {
      map.recipe(for: $0.name).parts(of: $0.shape).map(\.0)
    }
    let planned = names.compactMap { name -> PlannedTensor? in
      guard let shape = source.shape(of: name), let type = source.type(of: name) else { return nil }
      return PlannedTensor(name: name, shape: shape, type: type) {
        try source.tensor(named: name)
      }
    }
    try SafeTensors.write(
      planned: planned, metadata: ["format": "pt", Self.towersKey: "text"], to: path)
  }

  /// Reads a weight.
  ///
  /// - Parameter openAIName: The weight's OpenAI name.
  /// - Returns: The weight as 32-bit floating point, in OpenAI's layout.
  /// - Throws: ``CheckpointError`` when there is no such weight or it holds a NaN or infinity.
  package func tensor(_ openAIName: String) throws -> HostTensor {
    try read(openAIName) { floats in
      HostTensor(
        name: openAIName, shape: shapes[openAIName] ?? [], type: .float32, bytes: Array(floats))
    }
  }

  /// Hands a weight to a function, where the file is mapped if it is stored as it is wanted.
  ///
  /// - Parameters:
  ///   - openAIName: The weight's OpenAI name.
  ///   - body: Gets 32-bit floating-point numbers in OpenAI's layout, at any address; valid during
  ///     the call only.
  /// - Throws: ``CheckpointError`` when there is no such weight or it holds a NaN or infinity, or what
  ///   `body` throws.
  package func read<Result>(
    _ openAIName: String, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    guard let shape = shapes[openAIName] else {
      throw CheckpointError.missingTensor(
        path: path, name: openAIName, remedy: "a CLIP model has no weight of this name")
    }
    switch map.recipe(for: openAIName) {
    case .same(let name): return try StoredFloats.read(name, of: source, body)
    case .stacked(let names):
      var bytes: [UInt8] = []
      bytes.reserveCapacity(shape.reduce(4, *))
      for name in names { try StoredFloats.read(name, of: source) { bytes.append(contentsOf: $0) } }
      return try bytes.withUnsafeBytes(body)
    case .transposed(let name):
      let bytes = try StoredFloats.read(name, of: source) {
        transposed($0, rows: shape[0], columns: shape[1], width: 4)
      }
      return try bytes.withUnsafeBytes(body)
    }
  }

  private func checkShape(_ name: String, _ shape: [Int]) throws {
    for (stored, wanted) in map.recipe(for: name).parts(of: shape) {
      guard let shape = source.shape(of: stored) else {
        // A detector checkpoint has no use for the temperature and does not hold it.
        if name == "logit_scale" { continue }
        throw CheckpointError.missingTensor(
          path: path, name: stored, remedy: "a CLIP model of this configuration needs it")
      }
      guard shape == wanted else {
        throw CheckpointError.tensor(
          path: path, name: stored,
          reason: "has the shape \(shape) where the configuration gives \(wanted)")
      }
    }
  }
}

/// The shapes of a file's weights by OpenAI name.
struct CLIPShapeReader {
  let source: any WeightSource
  let map: CLIPNameMap

  /// The shape of a weight that has the given number of axes.
  func shape(_ name: String, axes: Int) throws -> [Int] {
    let stored: String
    var isTransposed = false
    switch map.recipe(for: name) {
    case .same(let found): stored = found
    case .stacked(let found): stored = found[0]
    case .transposed(let found):
      stored = found
      isTransposed = true
    }
    guard let shape = source.shape(of: stored) else {
      throw CheckpointError.missingTensor(
        path: source.path, name: stored, remedy: "the model's sizes cannot be told without it")
    }
    guard shape.count == axes, shape.allSatisfy({ $0 > 0 && $0 <= 1 << 20 }) else {
      throw CheckpointError.tensor(
        path: source.path, name: stored,
        reason: "has the shape \(shape) where \(axes) positive lengths are expected")
    }
    return isTransposed ? shape.reversed() : shape
  }

  /// The number of blocks that stand one after the other from 0.
  func layers(prefix: String) -> Int {
    var count = 0
    while true {
      let name = "\(prefix)transformer.resblocks.\(count).mlp.c_fc.weight"
      guard case .same(let stored) = map.recipe(for: name), source.shape(of: stored) != nil else {
        return count
      }
      count += 1
    }
  }
}

extension CLIPConfiguration {
  /// Tells the sizes from the weights; heads have 64 channels in every published model.
  ///
  /// - Parameters:
  ///   - reader: The file.
  ///   - needsHeads: Whether a width that leaves the number of heads open is refused.
  /// - Throws: ``CheckpointError`` when a weight is missing or its shape says nothing.
  init(inferredFrom reader: CLIPShapeReader, needsHeads: Bool = true) throws {
    let tokens = try reader.shape("token_embedding.weight", axes: 2)
    let context = try reader.shape("positional_embedding", axes: 2)
    let patch = try reader.shape("visual.conv1.weight", axes: 4)
    let cells = try reader.shape("visual.positional_embedding", axes: 2)[0] - 1
    let projection = try reader.shape("text_projection", axes: 2)
    let grid = Int(Double(cells).squareRoot().rounded())
    func refuse(_ name: String, _ reason: String) -> CheckpointError {
      .tensor(path: reader.source.path, name: name, reason: reason)
    }
    guard cells > 0, grid * grid == cells else {
      throw refuse("visual.positional_embedding", "has \(cells, "patch"), which is no square")
    }
    func tower(_ prefix: String, width: Int) throws -> Tower {
      guard !needsHeads || width.isMultiple(of: 64) else {
        throw refuse(
          "\(prefix)positional_embedding",
          "is \(width) wide, which is no multiple of 64, so the number of attention heads cannot be "
            + "told; give a configuration")
      }
      let hidden = try reader.shape("\(prefix)transformer.resblocks.0.mlp.c_fc.weight", axes: 2)[0]
      return Tower(
        width: width, layers: reader.layers(prefix: prefix), heads: max(1, width / 64),
        mlpWidth: hidden)
    }
    self.init(
      text: try tower("", width: tokens[1]), vision: try tower("visual.", width: patch[0]),
      vocabularySize: tokens[0], contextLength: context[0], imageSize: grid * patch[2],
      patchSize: patch[2], embeddingWidth: projection[1])
  }
}
