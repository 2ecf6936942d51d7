/// A value on the stack of the restricted pickle machine.
///
/// Containers are indices into ``PickleResult``, so a value is flat however deep the pickle nests:
/// hostile depth can overflow no stack here.
enum PickleValue {
  case mark
  case none
  case bool(Bool)
  case integer(Int)
  case float(Double)
  case string(String)
  case bytes
  case callable(PickleCallable)
  case storage(Int)
  case tensor(Int)
  case tuple(Int)
  case list(Int)
  case dictionary(Int)
  /// What would have come of ``PickleCallable/bookkeeping``; nobody looks into it.
  case opaque

  /// Whether it is Python's `None`.
  var isNone: Bool { if case .none = self { true } else { false } }
}

/// What a pickle may name: the few things a plain state dict is made of, and what training programs
/// leave beside it.
enum PickleCallable: Equatable {
  case orderedDictionary
  case rebuildTensor
  case rebuildParameter
  case size
  case storageType(StoredType)
  /// Something that is passed over without being made: see ``bookkeepers``.
  case bookkeeping

  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_tensor"):
      self = .rebuildTensor
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("torch", "Size"): self = .size
    case ("torch", _):
      guard let type = Self.storageTypes[name] else { return nil }
      self = .storageType(type)
    default:
      guard Self.bookkeepers[module]?.contains(name) == true else { return nil }
      self = .bookkeeping
    }
  }

  /// What MMEngine's runner and PyTorch's schedulers write beside the weights.
  ///
  /// Histories of losses, NumPy numbers and counters; the authors' published files have them.
  private static let bookkeepers: [String: Set<String>] = [
    "mmengine.logging.history_buffer": ["HistoryBuffer"],
    "numpy": ["ndarray", "dtype"],
    "numpy.core.multiarray": ["scalar", "_reconstruct"],
    "numpy._core.multiarray": ["scalar", "_reconstruct"],
    "collections": ["Counter", "defaultdict", "deque"],
    "_codecs": ["encode"],
    // Names a method of the history; it is not looked up.
    "builtins": ["getattr", "set", "dict", "list"],
    "__builtin__": ["getattr", "set", "dict", "list"],
  ]

  private static let storageTypes: [String: StoredType] = [
    "FloatStorage": .float32, "HalfStorage": .float16, "BFloat16Storage": .bfloat16,
    "DoubleStorage": .float64, "LongStorage": .int64, "IntStorage": .int32,
    "ShortStorage": .int16, "CharStorage": .int8, "ByteStorage": .uint8, "BoolStorage": .bool,
  ]
}

/// What a pickle unpacked to.
struct PickleResult {
  /// A storage that the archive holds under a key.
  struct Storage {
    let key: String
    let type: StoredType
    let count: Int
  }

  /// A view into a storage; offset and strides count elements.
  struct Tensor {
    let storage: Storage
    let offset: Int
    let shape: [Int]
    let strides: [Int]
  }

  var root = PickleValue.none
  var storages: [Storage] = []
  var tensors: [Tensor] = []
  var tuples: [[PickleValue]] = []
  var lists: [[PickleValue]] = []
  /// Pairs in the order they were set; of equal keys the last counts.
  var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []

  /// The members of a dictionary whose keys are texts.
  func members(_ value: PickleValue) -> [String: PickleValue]? {
    guard case .dictionary(let index) = value else { return nil }
    var members: [String: PickleValue] = [:]
    for case (.string(let key), let value) in dictionaries[index] { members[key] = value }
    return members
  }
}

/// Why a pickle was not read.
enum PickleProblem: Error, Equatable {
  case damaged(String)
  case refused(String)
}

/// Reads the bytes of a pickle; every read is checked against the end.
struct PickleReader {
  let bytes: UnsafeRawBufferPointer
  private(set) var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func take(_ count: Int) throws(PickleProblem) -> UnsafeRawBufferPointer {
    guard count >= 0, count <= bytes.count - position else {
      throw .damaged("the pickle ends early, at byte \(position)")
    }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  mutating func byte() throws(PickleProblem) -> UInt8 { try take(1)[0] }

  mutating func integer<Value: FixedWidthInteger>(
    _ type: Value.Type
  ) throws(PickleProblem) -> Value {
    Value(littleEndian: try take(MemoryLayout<Value>.size).loadUnaligned(as: Value.self))
  }

  mutating func length<Value: FixedWidthInteger>(
    _ type: Value.Type
  ) throws(PickleProblem) -> Int {
    guard let length = Int(exactly: try integer(type)), length >= 0 else {
      throw .damaged("a length at byte \(position) is too large")
    }
    return length
  }

  mutating func text(_ count: Int) throws(PickleProblem) -> String {
    guard let text = String(validating: try take(count), as: UTF8.self) else {
      throw .damaged("a text before byte \(position) is not valid UTF-8")
    }
    return text
  }

  mutating func line() throws(PickleProblem) -> String {
    let rest = bytes[position...]
    guard let end = rest.firstIndex(of: 0x0A) else {
      throw .damaged("the pickle ends early, at byte \(position)")
    }
    let text = try text(end - position)
    position += 1
    return text
  }

  /// A whole number in two's complement of any length that fits in 64 bits.
  mutating func longInteger(_ count: Int) throws(PickleProblem) -> Int {
    let digits = try take(count)
    guard let last = digits.last else { return 0 }
    let sign: UInt8 = last >= 0x80 ? 0xFF : 0
    var value: UInt64 = sign == 0 ? 0 : .max
    guard digits.count <= 8 || digits[8...].allSatisfy({ $0 == sign }) else {
      throw .damaged("a whole number before byte \(position) does not fit in 64 bits")
    }
    for (index, digit) in digits.prefix(8).enumerated() {
      let shift = UInt64(8 * index)
      value = value & ~(0xFF << shift) | UInt64(digit) << shift
    }
    let result = Int(truncatingIfNeeded: value)
    guard (result < 0) == (sign == 0xFF) else {
      throw .damaged("a whole number before byte \(position) does not fit in 64 bits")
    }
    return result
  }
}
