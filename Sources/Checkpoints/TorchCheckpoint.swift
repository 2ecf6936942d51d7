import Formats

/// The tensors of a file that `torch.save` wrote from a state dict, or from a dictionary that holds
/// one under a key of ``WeightWrappers``.
///
/// The pickle inside is unpacked by a machine that knows tensors and plain values and refuses
/// anything else by name. Tensors are copied out of the file on demand.
package final class TorchCheckpoint: WeightSource {
  /// The file's path as it was given.
  package let path: String
  /// The names of all tensors, sorted.
  package let names: [String]
  /// The keys below which the tensors stand, outermost first; none for a plain state dict.
  package let keys: [String]
  private let storages: TorchStorages
  private let views: [String: View]

  /// A checked view into a storage; offset and strides count elements.
  private struct View {
    let storage: String
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
  /// - Throws: ``CheckpointError`` when the file is missing, cut short, damaged, a TorchScript archive,
  ///   or holds anything but plain values and tensors.
  package init(path: String) throws {
    let storages = try CheckpointError.wrapping { try TorchStorages(path: path) }
    let (keys, tensors) = try Self.stateDict(storages.unpacked, path: path)
    var views: [String: View] = [:]
    // Views may show one storage many times; what they come to together is bound by the file.
    var left = storages.byteCount.multipliedReportingOverflow(by: 64).partialValue + (1 << 28)
    for (name, tensor) in tensors {
      let view = try Self.view(name, tensor, storages, path: path)
      left -= view.shape.reduce(view.type.byteCount, *)
      guard left >= 0 else {
        throw CheckpointError.header(
          path: path,
          reason:
            "the tensors show the file's \(storages.byteCount, "byte") more than 64 times over; "
            + "save it after contiguous()")
      }
      views[name] = view
    }
    self.path = path
    self.keys = keys
    self.storages = storages
    self.views = views
    names = views.keys.sorted()
  }

  private static func stateDict(
    _ unpacked: PickleResult, path: String
  ) throws -> (keys: [String], tensors: [String: PickleResult.Tensor]) {
    guard var members = unpacked.members(unpacked.root) else {
      throw CheckpointError.header(
        path: path, reason: "the file holds no dictionary; save model.state_dict()")
    }
    func tensors(_ members: [String: PickleValue]) -> [String: PickleResult.Tensor] {
      members.compactMapValues { value in
        if case .tensor(let index) = value { unpacked.tensors[index] } else { nil }
      }
    }
    var seen: Set<Int> = []
    /// The dictionary under the likeliest key that holds tensors, at once or further below.
    func inner(
      _ members: [String: PickleValue], below keys: [String]
    ) -> (keys: [String], members: [String: PickleValue])? {
      for key in WeightWrappers.keys {
        // A dictionary may hold itself.
        guard case .dictionary(let index)? = members[key], seen.insert(index).inserted,
          let found = unpacked.members(.dictionary(index))
        else { continue }
        let below = keys + [key]
        if below.count <= deepestWrapper, let deeper = inner(found, below: below) { return deeper }
        if !tensors(found).isEmpty { return (below, found) }
      }
      return nil
    }
    var keys: [String] = []
    if let nested = inner(members, below: []) { (keys, members) = nested }
    let found = tensors(members)
    guard !found.isEmpty else {
      let others = members.keys.sorted().prefix(8).map { "\"\($0)\"" }.joined(separator: ", ")
      throw CheckpointError.header(
        path: path,
        reason:
          "the dictionary holds no tensors, its keys are \(others.isEmpty ? "none" : others); "
          + "save model.state_dict(), or put it under state_dict")
    }
    return (keys, found)
  }

  /// Wrappers within wrappers; more are none that a program writes.
  private static let deepestWrapper = 3

  /// Checks that a tensor lies inside its storage and the storage inside the file.
  private static func view(
    _ name: String, _ tensor: PickleResult.Tensor, _ storages: TorchStorages, path: String
  ) throws -> View {
    func refuse(_ reason: String) -> CheckpointError {
      .tensor(path: path, name: name, reason: reason)
    }
    let storage = tensor.storage
    guard let size = storages.byteCount(of: storage.key) else {
      throw refuse("its storage \"\(storage.key)\" is not in the file")
    }
    guard CheckedShape.byteCount(of: [storage.count], type: storage.type) == size else {
      throw refuse(
        "its storage \"\(storage.key)\" has \(size, "byte"), which is not "
          + "\(storage.count, "number") of \(storage.type.rawValue)")
    }
    guard let byteCount = CheckedShape.byteCount(of: tensor.shape, type: storage.type) else {
      throw refuse("has the shape \(tensor.shape), whose product overflows")
    }
    guard tensor.offset <= storage.count else {
      throw refuse("starts at element \(tensor.offset) of a storage of \(storage.count)")
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
          "expands \(storage.count, "stored number") to the shape \(tensor.shape); "
            + "save it after contiguous()")
      }
    }
    return View(
      storage: storage.key, type: storage.type, offset: tensor.offset, shape: tensor.shape,
      strides: tensor.strides)
  }

  /// The shape of a tensor, without reading it.
  ///
  /// - Parameter name: The tensor's name.
  /// - Returns: The lengths of its axes, or nil when there is no such tensor.
  package func shape(of name: String) -> [Int]? { views[name]?.shape }

  /// The stored type of a tensor, without reading it.
  ///
  /// - Parameter name: The tensor's name.
  /// - Returns: The type, or nil when there is no such tensor.
  package func type(of name: String) -> StoredType? { views[name]?.type }

  /// Hands the bytes of one tensor to a function; a dense tensor is not copied.
  ///
  /// - Parameters:
  ///   - name: The tensor's name.
  ///   - body: Gets the type and the numbers, dense whatever the tensor's strides in the file; they
  ///     are valid during the call only.
  /// - Throws: ``CheckpointError`` when there is no such tensor or its storage is damaged, or what
  ///   `body` throws.
  package func read<Result>(
    _ name: String, _ body: (StoredType, UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    guard let view = views[name] else { throw missing(name) }
    return try CheckpointError.wrapping {
      try storages.read(view.storage) { storage in
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
