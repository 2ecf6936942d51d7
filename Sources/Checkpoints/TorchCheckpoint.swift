import Formats

/// The tensors of a file that `torch.save` wrote from a state dict, or from a dictionary that holds
/// one under `state_dict` or `model`.
///
/// The pickle inside is unpacked by a machine that knows tensors and plain values and refuses
/// anything else by name. Tensors are copied out of the archive on demand.
public final class TorchCheckpoint: WeightSource {
  /// The file's path as it was given.
  public let path: String
  /// The names of all tensors, sorted.
  public let names: [String]
  private let archive: ZipArchive
  private let views: [String: View]

  /// A checked view into a storage; offset and strides count elements.
  private struct View {
    let entry: ZipArchive.Entry
    let type: StoredType
    let offset: Int
    let shape: [Int]
    let strides: [Int]

    /// Whether the elements stand one after the other.
    var isDense: Bool {
      var dense = 1
      for (length, stride) in zip(shape, strides).reversed() {
        guard stride == dense || length == 1 else { return shape.contains(0) }
        dense *= length
      }
      return true
    }
  }

  /// An expanded tensor (stride 0) may hold this many more elements than its storage.
  private static let largestExpansion = 1 << 24

  /// Opens a file and checks its list of tensors against the storages.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``CheckpointError`` when the file is missing, cut short, damaged, in the format
  ///   before PyTorch 1.6, a TorchScript archive, or holds anything but plain values and tensors.
  public init(path: String) throws {
    let file = try CheckpointError.wrapping { try MappedFile(path: path) }
    // The compiler may drop the file, and with it the mapping, after its last use by name.
    defer { withExtendedLifetime(file) {} }
    guard !Self.isLegacy(file.bytes) else { throw CheckpointError.legacyFormat(path: path) }
    let archive = try CheckpointError.wrapping { try ZipArchive(path: path) }
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
      let little = try CheckpointError.wrapping {
        try archive.read(order) { $0.elementsEqual("little".utf8) }
      }
      guard little else {
        throw CheckpointError.file(
          path: path, reason: "is not little-endian; save it again on a little-endian machine")
      }
    }
    let unpacked = try Self.unpack(pickle, of: archive)
    let tensors = try Self.stateDict(unpacked, path: path)
    var views: [String: View] = [:]
    for (name, tensor) in tensors {
      views[name] = try Self.view(name, tensor, archive: archive, root: root)
    }
    self.path = path
    self.archive = archive
    self.views = views
    names = views.keys.sorted()
  }

  /// Whether a file starts as `torch.save` wrote before PyTorch 1.6: a pickle, without a zip archive.
  static func isLegacy(_ bytes: UnsafeRawBufferPointer) -> Bool {
    // PROTO 2..5, then LONG1 with the ten bytes of torch's magic number.
    let magic: [UInt8] = [0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
    if bytes.count >= 14, bytes[0] == 0x80, bytes[2..<14].elementsEqual(magic) { return true }
    // The oldest files are tar archives.
    return bytes.count >= 512 && bytes[257..<262].elementsEqual("ustar".utf8)
  }

  private static func unpack(
    _ pickle: ZipArchive.Entry, of archive: ZipArchive
  ) throws -> PickleResult {
    let outcome: Result<PickleResult, PickleProblem> = try CheckpointError.wrapping {
      try archive.read(pickle) { bytes in
        Result { () throws(PickleProblem) in try PickleMachine.unpack(bytes) }
      }
    }
    switch outcome {
    case .success(let result): return result
    case .failure(.damaged(let reason)):
      throw CheckpointError.header(path: archive.path, reason: reason)
    case .failure(.refused(let name)):
      throw CheckpointError.refusedCall(path: archive.path, name: name)
    }
  }

  private static func stateDict(
    _ unpacked: PickleResult, path: String
  ) throws -> [String: PickleResult.Tensor] {
    guard let members = unpacked.members(unpacked.root) else {
      throw CheckpointError.header(
        path: path, reason: "the file holds no dictionary; save model.state_dict()")
    }
    let nested = ["state_dict", "model"].lazy.compactMap {
      members[$0].flatMap { unpacked.members($0) }
    }
    let tensors = (nested.first ?? members).compactMapValues { value in
      if case .tensor(let index) = value { unpacked.tensors[index] } else { nil }
    }
    guard !tensors.isEmpty else {
      throw CheckpointError.header(
        path: path,
        reason:
          "the dictionary holds no tensors; save model.state_dict(), or put it under state_dict"
      )
    }
    return tensors
  }

  /// Checks that a tensor lies inside its storage and the storage inside the archive.
  private static func view(
    _ name: String, _ tensor: PickleResult.Tensor, archive: ZipArchive, root: String
  ) throws -> View {
    func refuse(_ reason: String) -> CheckpointError {
      .tensor(path: archive.path, name: name, reason: reason)
    }
    let storage = tensor.storage
    guard let entry = archive.entry(named: "\(root)data/\(storage.key)") else {
      throw refuse("its storage \"\(storage.key)\" is not in the archive")
    }
    guard CheckedShape.byteCount(of: [storage.count], type: storage.type) == entry.size else {
      throw refuse(
        "its storage \"\(storage.key)\" has \(entry.size) bytes, which is not "
          + "\(storage.count) numbers of \(storage.type.rawValue)")
    }
    guard let byteCount = CheckedShape.byteCount(of: tensor.shape, type: storage.type) else {
      throw refuse("has the shape \(tensor.shape), whose product overflows")
    }
    if byteCount > 0 {
      var last = tensor.offset
      for (length, stride) in zip(tensor.shape, tensor.strides) {
        let (span, overflow) = (length - 1).multipliedReportingOverflow(by: stride)
        let (sum, carry) = last.addingReportingOverflow(span)
        guard !overflow, !carry else { throw refuse("has strides that overflow") }
        last = sum
      }
      guard last < storage.count else {
        throw refuse("reaches element \(last) of a storage of \(storage.count)")
      }
      guard byteCount / storage.type.byteCount <= max(storage.count, largestExpansion) else {
        throw refuse(
          "expands \(storage.count) stored numbers to the shape \(tensor.shape); "
            + "save it after contiguous()")
      }
    }
    return View(
      entry: entry, type: storage.type, offset: tensor.offset, shape: tensor.shape,
      strides: tensor.strides)
  }

  /// The shape of a tensor, without reading it.
  ///
  /// - Parameter name: The tensor's name.
  /// - Returns: The lengths of its axes, or nil when there is no such tensor.
  public func shape(of name: String) -> [Int]? { views[name]?.shape }

  /// The stored type of a tensor, without reading it.
  ///
  /// - Parameter name: The tensor's name.
  /// - Returns: The type, or nil when there is no such tensor.
  public func type(of name: String) -> StoredType? { views[name]?.type }

  /// Hands the bytes of one tensor to a function; a dense tensor is not copied.
  ///
  /// - Parameters:
  ///   - name: The tensor's name.
  ///   - body: Gets the type and the numbers, dense whatever the tensor's strides in the file; they
  ///     are valid during the call only.
  /// - Returns: What `body` returns.
  /// - Throws: ``CheckpointError`` when there is no such tensor or its storage is damaged, or what
  ///   `body` throws.
  public func read<Result>(
    _ name: String, _ body: (StoredType, UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    guard let view = views[name] else { throw missing(name) }
    return try CheckpointError.wrapping {
      try archive.read(view.entry) { storage in
        guard view.isDense else {
          return try Self.gather(storage, view).withUnsafeBytes { try body(view.type, $0) }
        }
        let width = view.type.byteCount
        let first = view.offset * width
        let end = first + view.shape.reduce(width, *)
        // An empty tensor may stand at any offset.
        guard end > first else {
          return try body(view.type, UnsafeRawBufferPointer(rebasing: storage[..<0]))
        }
        return try body(view.type, UnsafeRawBufferPointer(rebasing: storage[first..<end]))
      }
    }
  }

  /// Copies a strided view into dense row-major bytes.
  private static func gather(_ source: UnsafeRawBufferPointer, _ view: View) -> [UInt8] {
    let width = view.type.byteCount
    let total = view.shape.reduce(1, *)
    guard total > 0 else { return [] }
    // The longest dense tail of the axes is copied in one piece.
    var dense = 1
    var outer = view.shape.count
    while outer > 0, view.strides[outer - 1] == dense || view.shape[outer - 1] == 1 {
      dense *= view.shape[outer - 1]
      outer -= 1
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(total * width)
    var index = [Int](repeating: 0, count: outer)
    var position = view.offset
    for _ in 0..<total / dense {
      bytes.append(contentsOf: source[position * width..<(position + dense) * width])
      var axis = outer - 1
      while axis >= 0 {
        index[axis] += 1
        // Wrapping: the stride of an axis of length 1 may be any number.
        position &+= view.strides[axis]
        if index[axis] < view.shape[axis] { break }
        position &-= view.strides[axis] &* view.shape[axis]
        index[axis] = 0
        axis -= 1
      }
    }
    return bytes
  }
}
