import Formats

/// Writing safetensors files.
package enum SafeTensors {
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
  package static func write(
    tensors: [(name: String, tensor: HostTensor)], metadata: [String: String] = [:],
    to path: String
  ) throws {
    try write(
      planned: tensors.map { name, tensor in
        PlannedTensor(name: name, shape: tensor.shape, type: tensor.type) { tensor }
      }, metadata: metadata, to: path)
  }

  /// Writes tensors that are made one at a time, so that no more than one is in memory.
  static func write(
    planned: [PlannedTensor], metadata: [String: String] = [:], to path: String
  ) throws {
    let ordered = planned.sorted {
      let (left, right) = ($0.type.byteCount, $1.type.byteCount)
      return left == right ? $0.name < $1.name : left > right
    }
    let text = try header(of: ordered, metadata: metadata, path: path)
    try CheckpointError.wrapping {
      try AtomicFile.write(to: path) { descriptor in
        try withUnsafeBytes(of: UInt64(text.count).littleEndian) {
          try AtomicFile.append($0, to: descriptor, path: path)
        }
        try text.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
        for planned in ordered {
          let tensor = try planned.make()
          precondition(
            tensor.shape == planned.shape && tensor.type == planned.type,
            "\(planned.name) became another tensor than was planned")
          try tensor.bytes.withUnsafeBytes {
            try AtomicFile.append($0, to: descriptor, path: path)
          }
        }
      }
    }
  }

  private static func header(
    of ordered: [PlannedTensor], metadata: [String: String], path: String
  ) throws -> [UInt8] {
    var header: [String: JSONValue] = [:]
    if !metadata.isEmpty {
      header[SafeTensorsHeader.metadataKey] = .object(metadata.mapValues { .string($0) })
    }
    var offset = 0
    for tensor in ordered {
      guard tensor.name != SafeTensorsHeader.metadataKey else {
        throw CheckpointError.tensor(path: path, name: tensor.name, reason: "the name is reserved")
      }
      let end = offset + tensor.shape.reduce(tensor.type.byteCount, *)
      let entry: JSONValue = [
        "dtype": .string(tensor.type.rawValue),
        "shape": .array(tensor.shape.map { .number(Double($0)) }),
        "data_offsets": .array([.number(Double(offset)), .number(Double(end))]),
      ]
      guard header.updateValue(entry, forKey: tensor.name) == nil else {
        throw CheckpointError.tensor(path: path, name: tensor.name, reason: "is given twice")
      }
      offset = end
    }
    var text = Array(JSONValue.object(header).text().utf8)
    // Spaces up to a multiple of 8 keep the data aligned.
    text.append(contentsOf: [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8))
    return text
  }
}

/// A tensor of a file to be, made when it is written.
struct PlannedTensor {
  var name: String
  let shape: [Int]
  let type: StoredType
  let make: () throws -> HostTensor
}
