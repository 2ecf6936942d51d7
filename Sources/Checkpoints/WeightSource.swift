import Formats

/// A file of named tensors, whatever its format.
public protocol WeightSource: Sendable {
  /// The file's path as it was given.
  var path: String { get }
  /// The names of all tensors, sorted.
  var names: [String] { get }
  /// The shape of a tensor, without reading it.
  ///
  /// - Parameter name: The tensor's name.
  /// - Returns: The lengths of its axes, or nil when there is no such tensor.
  func shape(of name: String) -> [Int]?
  /// Reads one tensor.
  ///
  /// - Parameter name: The tensor's name.
  /// - Returns: The tensor, copied out of the file.
  /// - Throws: ``CheckpointError`` when there is no such tensor or the file is damaged.
  func tensor(named name: String) throws -> HostTensor
}

extension WeightSource {
  /// The error about a tensor that is not there, with a hint at the nearest prefix that is.
  func missing(_ name: String) -> CheckpointError {
    let suffix = name.split(separator: ".").suffix(2).joined(separator: ".")
    let similar = names.first { $0.hasSuffix(suffix) } ?? names.first
    let remedy = similar.map { "its \(names.count) tensors have names like \"\($0)\"" }
    return .missingTensor(path: path, name: name, remedy: remedy ?? "the file holds no tensor")
  }
}

/// Opens a file of weights; the format is told from the content, not from the file's name.
///
/// - Parameter path: A safetensors file or a file written by `torch.save`.
/// - Returns: The tensors of the file.
/// - Throws: ``CheckpointError`` when the file is missing, damaged or of another format.
public func openWeights(path: String) throws -> any WeightSource {
  let file = try CheckpointError.wrapping { try MappedFile(path: path) }
  // The compiler may drop the file, and with it the mapping, after its last use by name.
  defer { withExtendedLifetime(file) {} }
  let head = Array(file.bytes.prefix(9))
  if head.starts(with: [0x50, 0x4B]) { return try TorchCheckpoint(path: path) }
  if TorchCheckpoint.isLegacy(file.bytes) { throw CheckpointError.legacyFormat(path: path) }
  if head.count == 9, head[8] == UInt8(ascii: "{") { return try SafeTensorsFile(path: path) }
  throw CheckpointError.file(
    path: path,
    reason: file.bytes.isEmpty
      ? "is empty; download it again"
      : "is neither a safetensors file nor one written by torch.save; was it downloaded whole?")
}
