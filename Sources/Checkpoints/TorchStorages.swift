import Formats

/// Where the numbers of a file of `torch.save` stand, and the pickle that describes them.
///
/// Since PyTorch 1.6 a file is a zip archive with an entry for each storage. Before, it was a row of
/// pickles (a magic number, the protocol, the machine, the object, the keys of the storages) with the
/// storages one after the other behind them, each after the number of its elements.
struct TorchStorages {
  private enum Place {
    case archive(ZipArchive, root: String)
    case file(MappedFile, [String: Range<Int>])
  }

  /// The described object.
  let unpacked: PickleResult
  /// The file's length in bytes.
  let byteCount: Int
  private let place: Place

  /// The magic number as a pickle: PROTO, the version, LONG1 with ten bytes, STOP.
  private static let magic: [UInt8] = [
    0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
  ]

  /// Whether a file starts as `torch.save` wrote before PyTorch 1.6.
  static func isRow(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 15 && bytes[0] == 0x80 && bytes[2..<15].elementsEqual(magic)
  }

  /// Opens a file of either kind.
  init(path: String) throws {
    let file = try MappedFile(path: path)
    if try file.whole({ Self.isRow(file.bytes) }) {
      let (unpacked, ranges) = try file.whole { try Self.row(file.bytes, path: path) }
      self.unpacked = unpacked
      place = .file(file, ranges)
      byteCount = file.bytes.count
    } else {
      let archive = try ZipArchive(path: path)
      let (unpacked, root) = try Self.archive(archive)
      self.unpacked = unpacked
      place = .archive(archive, root: root)
      byteCount = archive.byteCount
    }
  }

  /// The bytes of a storage, or nil when the file has none of that key.
  func byteCount(of key: String) -> Int? {
    switch place {
    case .archive(let archive, let root): archive.entry(named: "\(root)data/\(key)")?.size
    case .file(_, let ranges): ranges[key]?.count
    }
  }

  /// Hands the bytes of a storage that the file has to a function.
  func read<Result>(
    _ key: String, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    switch place {
    case .archive(let archive, let root):
      guard let entry = archive.entry(named: "\(root)data/\(key)") else {
        throw FormatError(archive.path, "has no storage \"\(key)\"")
      }
      return try archive.read(entry, body)
    case .file(let file, let ranges):
      let range = ranges[key] ?? 0..<0
      defer { file.release(range) }
      return try file.whole {
        try body(UnsafeRawBufferPointer(rebasing: file.bytes[range]))
      }
    }
  }

  // MARK: A zip archive

  private static func archive(
    _ archive: ZipArchive
  ) throws -> (unpacked: PickleResult, root: String) {
    let path = archive.path
    let pickles = archive.entries.filter { $0.name.hasSuffix("/data.pkl") }
    guard let pickle = pickles.first, pickles.count == 1 else {
      throw CheckpointError.file(
        path: path, reason: "is a zip archive but no PyTorch checkpoint: it has no single data.pkl")
    }
    let root = String(pickle.name.dropLast("data.pkl".count))
    guard archive.entry(named: root + "constants.pkl") == nil else {
      throw CheckpointError.file(
        path: path,
        reason: "is a TorchScript archive; load it with torch.jit.load and save its state_dict()")
    }
    if let order = archive.entry(named: root + "byteorder") {
      guard try archive.read(order, { $0.elementsEqual("little".utf8) }) else {
        throw bigEndian(path)
      }
    }
    return (try archive.read(pickle) { try unpack($0, at: 0, path: path).result }, root)
  }

  private static func bigEndian(_ path: String) -> CheckpointError {
    .file(path: path, reason: "is not little-endian; save it again on a little-endian machine")
  }

  /// The object of the pickle at a place, and the place behind it.
  private static func unpack(
    _ bytes: UnsafeRawBufferPointer, at start: Int, path: String
  ) throws -> (result: PickleResult, end: Int) {
    do {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
      let (result, length) = try PickleMachine.unpackFirst(rest)
      return (result, start + length)
    } catch PickleProblem.damaged(let reason) {
      throw CheckpointError.header(path: path, reason: reason)
    } catch PickleProblem.refused(let name) {
      throw CheckpointError.refusedCall(path: path, name: name)
    }
  }

  // MARK: A row of pickles

  private static func row(
    _ bytes: UnsafeRawBufferPointer, path: String
  ) throws -> (PickleResult, [String: Range<Int>]) {
    var place = 2 + magic.count
    func next() throws -> PickleResult {
      let (result, end) = try unpack(bytes, at: place, path: path)
      place = end
      return result
    }
    func refuse(_ reason: String) -> CheckpointError { .header(path: path, reason: reason) }
    guard case .integer(1001) = try next().root else {
      throw refuse("is of a version of torch.save's format before PyTorch 1.6 that is not known")
    }
    let machine = try next()
    if case .bool(false)? = machine.members(machine.root)?["little_endian"] {
      throw bigEndian(path)
    }
    let unpacked = try next()
    let keys = try next()
    guard case .list(let index) = keys.root else { throw refuse("the list of storages is missing") }
    let types = Dictionary(unpacked.storages.map { ($0.key, $0.type) }) { first, _ in first }
    var ranges: [String: Range<Int>] = [:]
    for key in keys.lists[index] {
      guard case .string(let key) = key, let type = types[key], ranges[key] == nil else {
        throw refuse("the list of storages does not fit the tensors")
      }
      guard bytes.count - place >= 8 else { throw refuse("the storages are cut short") }
      let count = Int64(
        littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: Int64.self))
      place += 8
      guard let length = CheckedShape.byteCount(of: [Int(count)], type: type),
        length <= bytes.count - place
      else {
        throw refuse("storage \"\(key)\" of \(count, "number") reaches past the end of the file")
      }
      ranges[key] = place..<place + length
      place += length
    }
    return (unpacked, ranges)
  }
}
