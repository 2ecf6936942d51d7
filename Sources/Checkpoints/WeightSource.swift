import Formats
import Foundation

/// A file of named tensors, whatever its format.
package protocol WeightSource: Sendable {
  /// The file's path as it was given.
  var path: String { get }
  /// The names of all tensors, sorted.
  var names: [String] { get }
  /// The shape of a tensor, without reading it.
  ///
  /// - Parameter name: The tensor's name.
  /// - Returns: The lengths of its axes, or nil when there is no such tensor.
  func shape(of name: String) -> [Int]?
  /// The stored type of a tensor, without reading it.
  ///
  /// - Parameter name: The tensor's name.
  /// - Returns: The type, or nil when there is no such tensor.
  func type(of name: String) -> StoredType?
  /// Hands the bytes of one tensor to a function, where the file is mapped if they stand there.
  ///
  /// - Parameters:
  ///   - name: The tensor's name.
  ///   - body: Gets the type and the numbers, little-endian, row-major, at any address; they are
  ///     valid during the call only.
  /// - Throws: ``CheckpointError`` when there is no such tensor or the file is damaged, or what
  ///   `body` throws.
  func read<Result>(
    _ name: String, _ body: (StoredType, UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result
}

extension WeightSource {
  /// Reads one tensor.
  ///
  /// - Parameter name: The tensor's name.
  /// - Returns: The tensor, copied out of the file; dense whatever its strides there.
  /// - Throws: ``CheckpointError`` when there is no such tensor or the file is damaged.
  package func tensor(named name: String) throws -> HostTensor {
    guard let shape = shape(of: name) else { throw missing(name) }
    return try read(name) { type, bytes in
      HostTensor(name: name, shape: shape, type: type, bytes: Array(bytes))
    }
  }

  /// The error about a tensor that is not there, with a hint at the nearest prefix that is.
  func missing(_ name: String) -> CheckpointError {
    let suffix = name.split(separator: ".").suffix(2).joined(separator: ".")
    let similar = names.first { $0.hasSuffix(suffix) } ?? names.first
    let remedy = similar.map {
      "its \(names.count, "tensor") \(names.count.verb("has a name", "have names")) like \"\($0)\""
    }
    return .missingTensor(path: path, name: name, remedy: remedy ?? "the file holds no tensor")
  }
}

/// Opens weights; the format is told from the content, not from the file's name.
///
/// - Parameter path: A safetensors file, a file written by `torch.save`, a NumPy `.npy` file, the index
///   of a model that is split, the folder of a Hugging Face model, or a bundle, whose detector counts.
/// - Throws: ``CheckpointError`` when the file is missing, damaged or of another format.
package func openWeights(path: String) throws -> any WeightSource {
  var isFolder: ObjCBool = false
  if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
    return try openWeights(path: try HuggingFaceCLIP(folder: path).weightsPath())
  }
  let (head, isRow, isTar, isBundle, kind) = try CheckpointError.wrapping {
    try MappedFile.read(path) { bytes in
      (
        Array(bytes.prefix(9)), TorchStorages.isRow(bytes),
        bytes.count >= 512 && bytes[257..<262].elementsEqual("ustar".utf8),
        BundleFile.isBundle(bytes), FileKind(bytes)
      )
    }
  }
  if isBundle { return try SafeTensorsFile(path: "\(path)/\(BundleFile.detector)") }
  if isRow || head.starts(with: [0x50, 0x4B]) { return try TorchCheckpoint(path: path) }
  if isTar { throw CheckpointError.legacyFormat(path: path) }
  if head.count == 9, head[8] == UInt8(ascii: "{") { return try SafeTensorsFile(path: path) }
  if head.first == UInt8(ascii: "{"), path.hasSuffix(ShardedWeights.suffix) {
    return try ShardedWeights(index: path)
  }
  if head.starts(with: NumPyArray.magic) { return try NumPyWeights(path: path) }
  if head.count > 1, head[0] == 0x80, (2...5).contains(head[1]) {
    throw CheckpointError.file(
      path: path,
      reason:
        "is a plain Python pickle, which is not read because it may run code; load it in Python "
        + "and write a dictionary of tensors with torch.save or as safetensors")
  }
  if let kind { throw CheckpointError.file(path: path, reason: kind.explanation) }
  throw CheckpointError.file(
    path: path,
    reason: head.isEmpty
      ? "is empty; download it again"
      : "is neither a safetensors file nor one written by torch.save; was it downloaded whole?")
}
