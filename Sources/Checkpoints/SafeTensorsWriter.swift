import Formats

/// Writing safetensors files.
public enum SafeTensors {
  /// Writes tensors to a file, one after the other, so that a reader sees the old file or the new.
  ///
  /// In the file the wider types come first, then the order is by name: every tensor is aligned to
  /// its own element size, and equal content gives an equal file.
  ///
  /// - Parameters:
  ///   - tensors: The tensors; the names here count, not those in the tensors.
  ///   - metadata: Texts to store under `__metadata__`.
  ///   - path: The file's path; its folder must exist.
  /// - Throws: ``CheckpointError`` when a name stands twice or is reserved, or when the file cannot
  ///   be written; an old file is then as it was.
  public static func write(
    tensors: [(name: String, tensor: HostTensor)], metadata: [String: String] = [:],
    to path: String
  ) throws {
    let ordered = tensors.sorted {
      let (left, right) = ($0.tensor.type.byteCount, $1.tensor.type.byteCount)
      return left == right ? $0.name < $1.name : left > right
    }
    var header: [String: JSONValue] = [:]
    if !metadata.isEmpty {
      header[SafeTensorsHeader.metadataKey] = .object(metadata.mapValues { .string($0) })
    }
    var offset = 0
    for (name, tensor) in ordered {
      guard name != SafeTensorsHeader.metadataKey else {
        throw CheckpointError.tensor(path: path, name: name, reason: "the name is reserved")
      }
      let end = offset + tensor.bytes.count
      let entry: JSONValue = [
        "dtype": .string(tensor.type.rawValue),
        "shape": .array(tensor.shape.map { .number(Double($0)) }),
        "data_offsets": .array([.number(Double(offset)), .number(Double(end))]),
      ]
      guard header.updateValue(entry, forKey: name) == nil else {
        throw CheckpointError.tensor(path: path, name: name, reason: "is given twice")
      }
      offset = end
    }
    var text = Array(JSONValue.object(header).text().utf8)
    // Spaces up to a multiple of 8 keep the data aligned.
    text.append(contentsOf: [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8))
    try CheckpointError.wrapping {
      try AtomicFile.write(to: path) { descriptor in
        try withUnsafeBytes(of: UInt64(text.count).littleEndian) {
          try AtomicFile.append($0, to: descriptor, path: path)
        }
        try text.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
        for (_, tensor) in ordered {
          try tensor.bytes.withUnsafeBytes {
            try AtomicFile.append($0, to: descriptor, path: path)
          }
        }
      }
    }
  }
}
