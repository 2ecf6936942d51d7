import Formats
import Foundation

/// The tensors of a model that is split into several files, by its index: `model.safetensors.index.json`
/// or `pytorch_model.bin.index.json`.
package final class ShardedWeights: WeightSource {
  /// The index's path as it was given.
  package let path: String
  /// The names of all tensors, sorted.
  package let names: [String]
  private let owners: [String: any WeightSource]

  /// How the names of indexes end.
  static let suffix = ".index.json"

  /// Opens an index and all files that it names.
  ///
  /// - Parameter path: The index's path; the files lie beside it.
  /// - Throws: ``CheckpointError`` when a file is missing or damaged, or lacks a tensor.
  package init(index path: String) throws {
    let files = try Self.files(of: path)
    var opened: [String: any WeightSource] = [:]
    var owners: [String: any WeightSource] = [:]
    let folder = Self.folder(of: path)
    for (name, file) in files {
      guard FileManager.default.fileExists(atPath: folder + file) else {
        throw CheckpointError.file(
          path: folder + file,
          reason: "no such file, but \(path) names it; download it into the same folder")
      }
      let source = try opened[file] ?? openWeights(path: folder + file)
      opened[file] = source
      guard source.shape(of: name) != nil else { throw source.missing(name) }
      owners[name] = source
    }
    self.path = path
    self.owners = owners
    names = owners.keys.sorted()
  }

  /// The paths of the files that an index names, each once.
  static func shards(of path: String) throws -> [String] {
    Set(try files(of: path).values).sorted().map { folder(of: path) + $0 }
  }

  private static func folder(of path: String) -> String {
    let folder = (path as NSString).deletingLastPathComponent
    return folder.isEmpty ? "" : folder + "/"
  }

  /// The file of each tensor.
  private static func files(of path: String) throws -> [String: String] {
    let document = try CheckpointError.wrapping { try JSONValue(contentsOf: path) }
    guard let map = document["weight_map"]?.object, !map.isEmpty else {
      throw CheckpointError.configuration(
        path: path, field: "weight_map",
        reason: "is not an object that names a file for each tensor")
    }
    return try map.mapValues { value in
      // Neither another folder nor another index.
      guard let file = value.string, !file.isEmpty, !file.contains("/"), !file.hasSuffix(".json")
      else {
        throw CheckpointError.configuration(
          path: path, field: "weight_map",
          reason: "holds \(value.text()) where the name of a file of weights beside it is needed")
      }
      return file
    }
  }

  /// The shape of a tensor, without reading it.
  ///
  /// - Parameter name: The tensor's name.
  /// - Returns: The lengths of its axes, or nil when there is no such tensor.
  package func shape(of name: String) -> [Int]? { owners[name]?.shape(of: name) }

  /// The stored type of a tensor, without reading it.
  ///
  /// - Parameter name: The tensor's name.
  /// - Returns: The type, or nil when there is no such tensor.
  package func type(of name: String) -> StoredType? { owners[name]?.type(of: name) }

  /// Hands the bytes of one tensor to a function.
  ///
  /// - Parameters:
  ///   - name: The tensor's name.
  ///   - body: Gets the type and the bytes, which are valid during the call only.
  /// - Throws: ``CheckpointError`` when there is no such tensor or its file is damaged, or what `body`
  ///   throws.
  package func read<Result>(
    _ name: String, _ body: (StoredType, UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    guard let owner = owners[name] else { throw missing(name) }
    return try owner.read(name, body)
  }
}
