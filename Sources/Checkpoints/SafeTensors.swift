import Formats

/// A safetensors file, mapped: the header is checked at once, tensors are copied on demand.
///
/// Layout: 8 bytes little-endian header length, a JSON object, then the tensors without gaps.
package final class SafeTensorsFile: WeightSource {
  /// Where a tensor stands.
  private struct Record {
    let type: StoredType
    let shape: [Int]
    let range: Range<Int>
  }

  /// The file's path as it was given.
  package let path: String
  /// The names of all tensors, sorted.
  package let names: [String]
  /// The texts under `__metadata__`; empty when there are none.
  package let metadata: [String: String]
  private let file: MappedFile
  private let records: [String: Record]
  /// The format's own limit: larger headers are an attack on the reader's memory.
  private static let largestHeader = 100_000_000

  /// Opens a file and checks its header against its length.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``CheckpointError`` when the file is missing, cut short, damaged or hostile.
  package init(path: String) throws {
    let file = try CheckpointError.wrapping { try MappedFile(path: path) }
    let (header, dataStart) = try CheckpointError.wrapping {
      try file.whole { try Self.header(of: file.bytes, path: path) }
    }
    var records: [String: Record] = [:]
    for entry in header.entries {
      records[entry.name] = Record(
        type: entry.type, shape: entry.shape,
        range: dataStart + entry.begin..<dataStart + entry.end)
    }
    self.path = path
    self.file = file
    self.records = records
    names = records.keys.sorted()
    metadata = header.metadata
  }

  /// The header, checked against the length of the file, and where the tensors begin.
  private static func header(
    of bytes: UnsafeRawBufferPointer, path: String
  ) throws -> (SafeTensorsHeader, dataStart: Int) {
    func refuse(_ reason: String) -> CheckpointError { .header(path: path, reason: reason) }
    guard bytes.count >= 8 else {
      throw refuse("the file has \(bytes.count, "byte"), too few for a safetensors file")
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(largestHeader) else {
      throw refuse("says that it is \(length, "byte") long; the format allows 100000000")
    }
    let dataStart = 8 + Int(length)
    guard dataStart <= bytes.count else {
      throw refuse("is \(length, "byte") long but the file has \(bytes.count); it was cut short")
    }
    let slice = UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart])
    guard let text = String(validating: slice, as: UTF8.self), text.utf8.first == 0x7B else {
      throw refuse("is not a JSON object")
    }
    let header = try SafeTensorsHeader(text: text, path: path)
    for entry in header.entries {
      guard entry.end <= bytes.count - dataStart else {
        throw CheckpointError.tensor(
          path: path, name: entry.name,
          reason: "ends at byte \(entry.end) of \(bytes.count - dataStart); the file was cut short")
      }
    }
    // Every byte must belong to exactly one tensor, as in the reference reader.
    var covered = 0
    for entry in header.entries.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
      guard entry.begin == covered else {
        throw CheckpointError.tensor(
          path: path, name: entry.name,
          reason: "starts at byte \(entry.begin) where \(covered) is expected: the tensors "
            + (entry.begin < covered ? "overlap" : "leave a gap"))
      }
      covered = entry.end
    }
    guard covered == bytes.count - dataStart else {
      throw refuse(
        "describes \(covered, "byte") of tensors but \(bytes.count - dataStart, "byte") "
          + "\((bytes.count - dataStart).verb("follows", "follow"))"
      )
    }
    return (header, dataStart)
  }

  /// The shape of a tensor, without reading it.
  ///
  /// - Parameter name: The tensor's name.
  /// - Returns: The lengths of its axes, or nil when there is no such tensor.
  package func shape(of name: String) -> [Int]? { records[name]?.shape }

  /// The stored type of a tensor, without reading it.
  ///
  /// - Parameter name: The tensor's name.
  /// - Returns: The type, or nil when there is no such tensor.
  package func type(of name: String) -> StoredType? { records[name]?.type }

  /// Hands the bytes of one tensor to a function, where the file is mapped.
  ///
  /// - Parameters:
  ///   - name: The tensor's name.
  ///   - body: Gets the type and the bytes, which are valid during the call only.
  /// - Throws: ``CheckpointError`` when there is no such tensor, or what `body` throws.
  package func read<Result>(
    _ name: String, _ body: (StoredType, UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    guard let record = records[name] else { throw missing(name) }
    defer { file.release(record.range) }
    return try CheckpointError.wrapping {
      try file.whole {
        try body(record.type, UnsafeRawBufferPointer(rebasing: file.bytes[record.range]))
      }
    }
  }
}
