import Formats

/// The JSON header of a safetensors file, checked entry by entry.
struct SafeTensorsHeader {
  struct Entry {
    let name: String
    let type: StoredType
    let shape: [Int]
    /// Byte offsets from the end of the header.
    let begin: Int
    let end: Int
  }

  private(set) var entries: [Entry] = []
  private(set) var metadata: [String: String] = [:]
  static let metadataKey = "__metadata__"

  /// Parses a header.
  init(text: String, path: String) throws {
    do {
      var scanner = JSONScanner(text: text, source: path)
      var seen: Set<String> = []
      try scanner.beginObject()
      while let name = try scanner.nextKey() {
        guard seen.insert(name).inserted else {
          throw CheckpointError.tensor(path: path, name: name, reason: "stands twice in the header")
        }
        let value = try scanner.value()
        if name == Self.metadataKey {
          metadata = try Self.metadata(value, path: path)
        } else {
          entries.append(try Self.entry(value, name: name, path: path))
        }
      }
      try scanner.end()
    } catch let error as FormatError {
      throw CheckpointError.header(path: path, reason: "\(error.place): \(error.reason)")
    }
  }

  private static func metadata(_ value: JSONValue, path: String) throws -> [String: String] {
    guard let members = value.object else {
      throw CheckpointError.header(path: path, reason: "\(metadataKey) is not an object")
    }
    return try members.mapValues {
      guard let text = $0.string else {
        throw CheckpointError.header(path: path, reason: "\(metadataKey) holds more than texts")
      }
      return text
    }
  }

  private static func entry(_ value: JSONValue, name: String, path: String) throws -> Entry {
    func refuse(_ reason: String) -> CheckpointError {
      .tensor(path: path, name: name, reason: reason)
    }
    guard let typeName = value["dtype"]?.string else { throw refuse("has no text \"dtype\"") }
    guard let type = StoredType(rawValue: typeName) else {
      let known = StoredType.allCases.map(\.rawValue).joined(separator: ", ")
      throw refuse("has the unknown dtype \"\(typeName)\"; known are \(known)")
    }
    guard let shape = wholeNumbers(value["shape"]) else {
      throw refuse("needs a \"shape\" of whole numbers that are not negative")
    }
    guard let offsets = wholeNumbers(value["data_offsets"]), offsets.count == 2 else {
      throw refuse("needs \"data_offsets\" of two whole numbers that are not negative")
    }
    guard offsets[0] <= offsets[1] else {
      throw refuse("ends at byte \(offsets[1]), before its start at byte \(offsets[0])")
    }
    guard let byteCount = CheckedShape.byteCount(of: shape, type: type) else {
      throw refuse("has the shape \(shape), whose product overflows")
    }
    guard byteCount == offsets[1] - offsets[0] else {
      throw refuse(
        "has \(offsets[1] - offsets[0], "byte") where shape \(shape) of \(typeName) takes "
          + "\(byteCount)"
      )
    }
    return Entry(name: name, type: type, shape: shape, begin: offsets[0], end: offsets[1])
  }

  private static func wholeNumbers(_ value: JSONValue?) -> [Int]? {
    guard let elements = value?.array else { return nil }
    let numbers = elements.compactMap { $0.integer }
    return numbers.count == elements.count && numbers.allSatisfy { $0 >= 0 } ? numbers : nil
  }
}
