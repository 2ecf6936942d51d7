/// A file of weights with the names of another program, or as another format.
///
/// Numbers keep their stored type and every bit; only what a zoo stores transposed or in pieces is
/// rearranged.
package struct WeightConversion {
  /// The names of the result, sorted.
  package let names: [String]
  /// Tensors of the file that have no place in the result, sorted; without the batch counters of
  /// PyTorch's norms, which nothing needs.
  package let leftOut: [String]
  private let planned: [PlannedTensor]

  /// Plans a conversion; nothing is read but names, shapes and types.
  ///
  /// - Parameters:
  ///   - source: The file.
  ///   - zoo: Whose names the result gets; nil keeps the names.
  ///   - configuration: The sizes of a CLIP model, where they are known; else told from the file.
  /// - Throws: ``CheckpointError`` when the file holds nothing that the zoo has names for, or a CLIP
  ///   model is not whole.
  package init(
    _ source: any WeightSource, to zoo: WeightZoo?, configuration: CLIPConfiguration? = nil
  ) throws {
    var used: Set<String> = []
    switch zoo {
    case nil:
      planned = source.names.map { Self.copy($0, as: $0, of: source) }
      used = Set(source.names)
    case .openAI, .huggingFace:
      let clip = try CLIPConversion(source, configuration: configuration)
      planned = clip.planned(
        for: zoo == .openAI ? .openAI(prefix: "") : .huggingFace(prefix: ""))
      used = clip.used
    case .some(let zoo):
      guard let map = DetectorNameMap(source) else {
        throw CheckpointError.file(
          path: source.path,
          reason: CLIPNameMap(source) == nil
            ? "holds no detector and no ResNet by any known names; baron inspect lists its tensors"
            : "is a CLIP model: convert it to openai or huggingface")
      }
      let pairs = source.names.compactMap { name in
        map.ourName(of: name).map { (name: name, ours: $0) }
      }
      let target = DetectorNameMap(writing: zoo, ourNames: pairs.map(\.ours))
      planned = pairs.compactMap { name, ours in
        target.names(for: ours).first.map { Self.copy(name, as: $0, of: source) }
      }
      used = Set(pairs.lazy.filter { !target.names(for: $0.ours).isEmpty }.map(\.name))
      guard !planned.isEmpty else {
        throw CheckpointError.file(
          path: source.path, reason: "holds nothing that \(zoo.rawValue) has names for")
      }
    }
    names = planned.map(\.name).sorted()
    leftOut = source.names.filter { !used.contains($0) && !DetectorNameMap.isCounter($0) }
  }

  /// Writes the result as a safetensors file, one tensor at a time.
  ///
  /// - Parameter path: The file's path; its folder must exist.
  /// - Throws: ``CheckpointError`` when the source is damaged or the file cannot be written.
  package func write(to path: String) throws {
    try SafeTensors.write(planned: planned, metadata: ["format": "pt"], to: path)
  }

  private static func copy(
    _ name: String, as target: String, of source: any WeightSource
  ) -> PlannedTensor {
    PlannedTensor(
      name: target, shape: source.shape(of: name) ?? [], type: source.type(of: name) ?? .float32
    ) { try source.tensor(named: name) }
  }
}

/// The tensors of a CLIP model in another layout.
struct CLIPConversion {
  private let source: any WeightSource
  private let map: CLIPNameMap
  private let shapes: [(name: String, shape: [Int])]

  init(_ source: any WeightSource, configuration: CLIPConfiguration?) throws {
    guard let map = CLIPNameMap(source) else {
      throw CheckpointError.file(
        path: source.path, reason: "holds no CLIP model with OpenAI's or Hugging Face's names")
    }
    let sizes =
      try configuration
      ?? CLIPConfiguration(
        inferredFrom: CLIPShapeReader(source: source, map: map), needsHeads: false)
    // Detector checkpoints have no temperature.
    shapes = sizes.shapes.filter { name, _ in
      name != "logit_scale" || source.shape(of: map.recipe(for: name).names[0]) != nil
    }
    self.source = source
    self.map = map
    for (name, shape) in shapes {
      let parts = map.recipe(for: name).parts(of: shape)
      for (stored, wanted) in parts {
        guard let found = source.shape(of: stored) else {
          throw CheckpointError.missingTensor(
            path: source.path, name: stored, remedy: "a CLIP model needs it")
        }
        guard found == wanted else {
          throw CheckpointError.tensor(
            path: source.path, name: stored,
            reason: "has the shape \(found) where the other weights ask for \(wanted)")
        }
        guard source.type(of: stored) == source.type(of: parts[0].name) else {
          throw CheckpointError.tensor(
            path: source.path, name: stored,
            reason:
              "is stored in another type than \(parts[0].name), with which it makes one tensor")
        }
      }
    }
  }

  /// The file's names that the result is made of.
  var used: Set<String> { Set(shapes.flatMap { map.recipe(for: $0.name).names }) }

  /// The model in a layout.
  func planned(for target: CLIPNameMap) -> [PlannedTensor] {
    shapes.flatMap { name, shape in
      let type = source.type(of: map.recipe(for: name).names[0]) ?? .float32
      let parts = target.recipe(for: name).parts(of: shape)
      return parts.enumerated().map { index, part in
        PlannedTensor(name: part.name, shape: part.shape, type: type) {
          let whole = try openAI(name, shape: shape)
          if case .transposed = target.recipe(for: name) {
            return HostTensor(
              shape: part.shape, type: type,
              bytes: whole.withUnsafeBytes {
                transposed($0, rows: shape[1], columns: shape[0], width: type.byteCount)
              })
          }
          let size = whole.count / parts.count
          return HostTensor(
            shape: part.shape, type: type, bytes: Array(whole[index * size..<(index + 1) * size]))
        }
      }
    }
  }

  /// The bytes of a weight in OpenAI's layout.
  private func openAI(_ name: String, shape: [Int]) throws -> [UInt8] {
    let recipe = map.recipe(for: name)
    if case .transposed(let stored) = recipe {
      return try source.read(stored) { type, bytes in
        transposed(bytes, rows: shape[0], columns: shape[1], width: type.byteCount)
      }
    }
    return try recipe.names.flatMap { try source.read($0) { Array($1) } }
  }
}

extension CLIPNameMap.Recipe {
  /// The tensors that a weight is made of.
  var names: [String] {
    switch self {
    case .same(let name), .transposed(let name): [name]
    case .stacked(let names): names
    }
  }

  /// The tensors with their shapes, for a weight of a shape in OpenAI's layout.
  func parts(of shape: [Int]) -> [(name: String, shape: [Int])] {
    switch self {
    case .same(let name): [(name, shape)]
    case .transposed(let name): [(name, shape.reversed())]
    case .stacked(let names):
      names.map { ($0, [shape[0] / names.count] + shape.dropFirst()) }
    }
  }
}
