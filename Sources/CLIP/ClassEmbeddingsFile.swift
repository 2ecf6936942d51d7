import Annotations
import Checkpoints
import Formats
import Foundation

/// A file with one embedding a row for each class of a list: `.npy` or safetensors.
///
/// What `baron embed` writes: tensors `final`, `last_block` or both, and in the metadata the names as
/// a JSON list. A file of one matrix of any name is read as well, as learned prompts come in one.
package struct ClassEmbeddingsFile: Sendable {
  /// The file's path.
  package let path: String
  /// The classes of the rows, or nil when the file does not say.
  package let classes: [ClassName]?
  private let source: any WeightSource

  static let format = "baron class embeddings 1"

  /// Opens a file and reads its names.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: `CheckpointError` when the file is missing, damaged or of another format, or when its
  ///   names are no list of names.
  package init(path: String) throws {
    self.path = path
    source = try openWeights(path: path)
    let metadata = (source as? SafeTensorsFile)?.metadata ?? [:]
    classes = try Self.classes(metadata, path: path)
  }

  /// The embeddings of one kind, brought to unit length.
  ///
  /// - Parameters:
  ///   - feature: The kind.
  ///   - width: The length that a row must have.
  /// - Returns: One row a class; rows of unit length keep every bit.
  /// - Throws: `CheckpointError` that names the file, the tensor and the remedy when there are no
  ///   embeddings of that kind, the shape is wrong, or a row is zero or not finite.
  package func matrix(_ feature: EmbeddingFeature, width: Int) throws -> EmbeddingMatrix {
    let name = try tensorName(feature)
    func refuse(_ reason: String) -> CheckpointError {
      .tensor(path: path, name: name, reason: reason)
    }
    let shape = source.shape(of: name) ?? []
    guard shape.count == 2, shape[0] > 0, shape[1] > 0 else {
      throw refuse("has the shape \(shape); class embeddings have the shape [classes, width]")
    }
    guard shape[1] == width else {
      throw refuse(
        "has rows of \(shape[1], "number"), the text encoder's \(feature.rawValue) feature has "
          + "\(width); take embeddings of the same CLIP model, 'baron embed' makes them")
    }
    if let classes, classes.count != shape[0] {
      throw refuse(
        "has \(shape[0], "row") but the metadata \(classes.count, "name"); write the file again")
    }
    let values = try StoredFloats.read(name, of: source) { floats in
      (0..<floats.count / 4).map {
        floats.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
      }
    }
    let matrix = EmbeddingMatrix(values, width: width)
    if let zero = (0..<matrix.count).first(where: { matrix.squaredLength($0) == 0 }) {
      let owner = classes.map { " (\"\($0[zero].name)\")" } ?? ""
      throw refuse(
        "row \(zero)\(owner) is zero, so it stands for no class; make the embeddings anew")
    }
    return matrix.unitRows()
  }

  /// The tensor of a kind: by its name, or the only one when no name tells the kind.
  private func tensorName(_ feature: EmbeddingFeature) throws -> String {
    let names = source.names
    if names.contains(feature.rawValue) { return feature.rawValue }
    let told = EmbeddingFeature.allCases.map(\.rawValue).filter(names.contains)
    if let other = told.first {
      throw CheckpointError.missingTensor(
        path: path, name: feature.rawValue,
        remedy:
          "it holds \"\(other)\", which cannot be compared with \(feature.rawValue) features: "
          + "make it with 'baron embed --feature \(feature.rawValue)'")
    }
    guard names.count == 1 else {
      throw CheckpointError.missingTensor(
        path: path, name: feature.rawValue,
        remedy: "it holds \(names.count, "tensor"); give a file with one matrix of class embeddings"
      )
    }
    return names[0]
  }

  private static func classes(_ metadata: [String: String], path: String) throws -> [ClassName]? {
    guard let text = metadata["names"] else { return nil }
    func refuse(_ key: String, _ wanted: String) -> CheckpointError {
      .header(path: path, reason: "metadata \"\(key)\" is not \(wanted); write the file again")
    }
    guard let names = (try? JSONValue(parsing: text, source: path))?.array?.map(\.string),
      names.allSatisfy({ $0 != nil })
    else { throw refuse("names", "a JSON list of names") }
    guard let others = metadata["synonyms"] else { return names.map { ClassName($0 ?? "") } }
    guard let lists = (try? JSONValue(parsing: others, source: path))?.array,
      lists.count == names.count, lists.allSatisfy({ $0.array != nil })
    else { throw refuse("synonyms", "a JSON list with a list of names for each name") }
    return zip(names, lists).map { name, list in
      ClassName(name ?? "", synonyms: (list.array ?? []).compactMap(\.string))
    }
  }
}

extension ClassEmbeddingsFile {
  /// Writes embeddings of one kind as `.npy`, without names.
  ///
  /// - Parameters:
  ///   - matrix: The embeddings.
  ///   - path: The file's path.
  /// - Throws: `CheckpointError` when the file cannot be written.
  package static func writeArray(_ matrix: EmbeddingMatrix, to path: String) throws {
    try NumPyArray.write(tensor(matrix), to: path)
  }

  /// Writes embeddings of one or both kinds as safetensors, with the names in the metadata.
  ///
  /// - Parameters:
  ///   - matrices: The embeddings by kind.
  ///   - classes: The classes of the rows.
  ///   - more: Further metadata.
  ///   - path: The file's path.
  /// - Throws: `CheckpointError` when the file cannot be written.
  package static func write(
    _ matrices: [EmbeddingFeature: EmbeddingMatrix], of classes: [ClassName],
    metadata more: [String: String] = [:], to path: String
  ) throws {
    func list(_ names: [String]) -> JSONValue { .array(names.map { .string($0) }) }
    var metadata = more
    metadata["format"] = format
    metadata["names"] = list(classes.map(\.name)).text()
    if classes.contains(where: { !$0.synonyms.isEmpty }) {
      metadata["synonyms"] = JSONValue.array(classes.map { list($0.synonyms) }).text()
    }
    try SafeTensors.write(
      tensors: matrices.map { ($0.key.rawValue, tensor($0.value)) }, metadata: metadata, to: path)
  }

  private static func tensor(_ matrix: EmbeddingMatrix) -> HostTensor {
    HostTensor(shape: [matrix.count, matrix.width], floats: matrix.values)
  }
}
