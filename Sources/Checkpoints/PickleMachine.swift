/// Unpacks a pickle that holds numbers, texts, containers and tensors; runs nothing it names.
///
/// What training programs leave beside the weights (``PickleCallable/bookkeeping``) becomes an opaque
/// value without being made; anything else that is named is refused.
///
/// Source: the opcode descriptions of Python's `pickletools`; protocols 0 to 5.
struct PickleMachine {
  private var reader: PickleReader
  private var result = PickleResult()
  private var stack: [PickleValue] = []
  private var memo: [Int: PickleValue] = [:]
  private var stepsLeft: Int
  /// A state dict takes about 60 opcodes a tensor.
  ///
  /// Each may leave 50 bytes in memory, so that a pickle of many millions would take gigabytes.
  static let mostSteps = 1 << 22

  /// Unpacks a pickle.
  static func unpack(
    _ bytes: UnsafeRawBufferPointer, mostSteps: Int = mostSteps
  ) throws(PickleProblem) -> PickleResult {
    try unpackFirst(bytes, mostSteps: mostSteps).result
  }

  /// Unpacks a pickle that other bytes may follow; gives its length too.
  static func unpackFirst(
    _ bytes: UnsafeRawBufferPointer, mostSteps: Int = mostSteps
  ) throws(PickleProblem) -> (result: PickleResult, length: Int) {
    var machine = PickleMachine(reader: PickleReader(bytes), stepsLeft: mostSteps)
    while try machine.step() {}
    machine.result.root = try machine.pop()
    return (machine.result, machine.reader.position)
  }

  private init(reader: PickleReader, stepsLeft: Int) {
    self.reader = reader
    self.stepsLeft = stepsLeft
  }

  // MARK: Opcodes

  /// Runs one opcode; false after the last.
  private mutating func step() throws(PickleProblem) -> Bool {
    stepsLeft -= 1
    guard stepsLeft >= 0 else {
      throw .damaged(
        "the pickle has millions of opcodes, which no state dict needs; save only model.state_dict()"
      )
    }
    let opcode = try reader.byte()
    switch opcode {
    case 0x2E: return false  // STOP
    case 0x80:  // PROTO
      let version = try reader.byte()
      guard version <= 5 else { throw .damaged("pickle protocol \(version) is unknown") }
    case 0x95: _ = try reader.take(8)  // FRAME
    case 0x28: stack.append(.mark)  // MARK
    case 0x30: _ = try pop()  // POP
    case 0x31: _ = try popToMark()  // POP_MARK
    case 0x32:  // DUP
      let top = try pop()
      stack += [top, top]
    case 0x63:  // GLOBAL
      try pushGlobal(module: try reader.line(), name: try reader.line())
    case 0x93:  // STACK_GLOBAL
      guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
        throw .damaged("a global without a name before byte \(reader.position)")
      }
      try pushGlobal(module: module, name: name)
    case 0x52: try reduce()  // REDUCE
    case 0x81: try makeObject()  // NEWOBJ
    case 0x62: try build()  // BUILD
    case 0x51: try pushStorage()  // BINPERSID
    case 0x69:  // INST
      throw .refused("\(try reader.line()).\(try reader.line())")
    case 0x92, 0x6F, 0x82, 0x83, 0x84, 0x50, 0x97, 0x98:
      throw .refused("the opcode 0x\(String(opcode, radix: 16))")
    default:
      if try pushScalar(opcode) { break }
      if try handleContainer(opcode) { break }
      if try handleMemo(opcode) { break }
      throw .damaged("unknown opcode 0x\(String(opcode, radix: 16)) at \(reader.position - 1)")
    }
    return true
  }

  private mutating func pushScalar(_ opcode: UInt8) throws(PickleProblem) -> Bool {
    switch opcode {
    case 0x4E: stack.append(.none)  // NONE
    case 0x88: stack.append(.bool(true))  // NEWTRUE
    case 0x89: stack.append(.bool(false))  // NEWFALSE
    case 0x4B: stack.append(.integer(Int(try reader.integer(UInt8.self))))  // BININT1
    case 0x4D: stack.append(.integer(Int(try reader.integer(UInt16.self))))  // BININT2
    case 0x4A: stack.append(.integer(Int(try reader.integer(Int32.self))))  // BININT
    case 0x8A:  // LONG1
      stack.append(.integer(try reader.longInteger(try reader.length(UInt8.self))))
    case 0x8B:  // LONG4
      stack.append(.integer(try reader.longInteger(try reader.length(Int32.self))))
    case 0x49, 0x4C:  // INT, LONG
      var line = try reader.line()
      if opcode == 0x49, line == "00" || line == "01" {
        stack.append(.bool(line == "01"))
        break
      }
      if line.hasSuffix("L") { line.removeLast() }
      guard let value = Int(line) else { throw .damaged("\"\(line)\" is no 64-bit number") }
      stack.append(.integer(value))
    case 0x47:  // BINFLOAT, the one big-endian number
      let bits = UInt64(bigEndian: UInt64(littleEndian: try reader.integer(UInt64.self)))
      stack.append(.float(Double(bitPattern: bits)))
    case 0x46:  // FLOAT
      let line = try reader.line()
      guard let value = Double(line) else { throw .damaged("\"\(line)\" is no number") }
      stack.append(.float(value))
    case 0x58:  // BINUNICODE
      stack.append(.string(try reader.text(try reader.length(UInt32.self))))
    case 0x8C:  // SHORT_BINUNICODE
      stack.append(.string(try reader.text(try reader.length(UInt8.self))))
    case 0x8D:  // BINUNICODE8
      stack.append(.string(try reader.text(try reader.length(UInt64.self))))
    case 0x56: stack.append(.string(try reader.line()))  // UNICODE
    case 0x54:  // BINSTRING
      stack.append(.string(try reader.text(try reader.length(Int32.self))))
    case 0x55:  // SHORT_BINSTRING
      stack.append(.string(try reader.text(try reader.length(UInt8.self))))
    case 0x42: try skipBytes(try reader.length(UInt32.self))  // BINBYTES
    case 0x43: try skipBytes(try reader.length(UInt8.self))  // SHORT_BINBYTES
    case 0x8E, 0x96: try skipBytes(try reader.length(UInt64.self))  // BINBYTES8, BYTEARRAY8
    default: return false
    }
    return true
  }

  private mutating func skipBytes(_ count: Int) throws(PickleProblem) {
    _ = try reader.take(count)
    stack.append(.bytes)
  }

  private mutating func handleContainer(_ opcode: UInt8) throws(PickleProblem) -> Bool {
    switch opcode {
    case 0x29: push(tuple: [])  // EMPTY_TUPLE
    case 0x85: push(tuple: [try pop()])  // TUPLE1
    case 0x86, 0x87:  // TUPLE2, TUPLE3
      var elements = [try pop(), try pop()]
      if opcode == 0x87 { elements.append(try pop()) }
      push(tuple: elements.reversed())
    case 0x74: push(tuple: try popToMark())  // TUPLE
    case 0x5D, 0x8F: push(list: [])  // EMPTY_LIST, EMPTY_SET
    case 0x6C, 0x91: push(list: try popToMark())  // LIST, FROZENSET
    case 0x61: try append([try pop()])  // APPEND
    case 0x65, 0x90: try append(try popToMark())  // APPENDS, ADDITEMS
    case 0x7D: push(dictionary: [])  // EMPTY_DICT
    case 0x64:  // DICT
      let items = try popToMark()
      push(dictionary: [])
      try set(items)
    case 0x73:  // SETITEM
      let value = try pop()
      try set([try pop(), value])
    case 0x75: try set(try popToMark())  // SETITEMS
    default: return false
    }
    return true
  }

  private mutating func handleMemo(_ opcode: UInt8) throws(PickleProblem) -> Bool {
    switch opcode {
    case 0x67: try recall(try memoLine())  // GET
    case 0x68: try recall(try reader.length(UInt8.self))  // BINGET
    case 0x6A: try recall(try reader.length(UInt32.self))  // LONG_BINGET
    case 0x70: try remember(try memoLine())  // PUT
    case 0x71: try remember(try reader.length(UInt8.self))  // BINPUT
    case 0x72: try remember(try reader.length(UInt32.self))  // LONG_BINPUT
    case 0x94: try remember(memo.count)  // MEMOIZE
    default: return false
    }
    return true
  }

  // MARK: Stack

  private mutating func pop() throws(PickleProblem) -> PickleValue {
    guard let value = stack.popLast() else {
      throw .damaged("the pickle takes more than it put, at byte \(reader.position)")
    }
    if case .mark = value {
      throw .damaged("a mark stands where a value should, at byte \(reader.position)")
    }
    return value
  }

  private mutating func popToMark() throws(PickleProblem) -> [PickleValue] {
    let mark = stack.lastIndex { if case .mark = $0 { true } else { false } }
    guard let mark else { throw .damaged("a mark is missing before byte \(reader.position)") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[(mark + 1)...])
  }

  private mutating func push(tuple elements: [PickleValue]) {
    result.tuples.append(elements)
    stack.append(.tuple(result.tuples.count - 1))
  }

  private mutating func push(list elements: [PickleValue]) {
    result.lists.append(elements)
    stack.append(.list(result.lists.count - 1))
  }

  private mutating func push(dictionary pairs: [(key: PickleValue, value: PickleValue)]) {
    result.dictionaries.append(pairs)
    stack.append(.dictionary(result.dictionaries.count - 1))
  }

  private mutating func append(_ elements: [PickleValue]) throws(PickleProblem) {
    if case .opaque? = stack.last { return }
    guard case .list(let index)? = stack.last else {
      throw .damaged("elements without a list before byte \(reader.position)")
    }
    result.lists[index] += elements
  }

  private mutating func set(_ items: [PickleValue]) throws(PickleProblem) {
    if case .opaque? = stack.last { return }
    guard case .dictionary(let index)? = stack.last, items.count.isMultiple(of: 2) else {
      throw .damaged("members without a dictionary before byte \(reader.position)")
    }
    for item in stride(from: 0, to: items.count, by: 2) {
      result.dictionaries[index].append((items[item], items[item + 1]))
    }
  }

  private mutating func memoLine() throws(PickleProblem) -> Int {
    let line = try reader.line()
    guard let index = Int(line) else { throw .damaged("\"\(line)\" is no memo number") }
    return index
  }

  private mutating func recall(_ index: Int) throws(PickleProblem) {
    guard let value = memo[index] else { throw .damaged("memo \(index) was never filled") }
    stack.append(value)
  }

  private mutating func remember(_ index: Int) throws(PickleProblem) {
    let value = try pop()
    memo[index] = value
    stack.append(value)
  }

  // MARK: Objects

  private mutating func pushGlobal(module: String, name: String) throws(PickleProblem) {
    guard let callable = PickleCallable(module: module, name: name) else {
      throw .refused("\(module).\(name)")
    }
    stack.append(.callable(callable))
  }

  /// A persistent id is a storage: ("storage", its type, its key, its device, its element count).
  ///
  /// Before PyTorch 1.6 a sixth part may make it a view into another storage; nobody wrote that since 0.4.
  private mutating func pushStorage() throws(PickleProblem) {
    guard case .tuple(let index) = try pop(), case let parts = result.tuples[index],
      parts.count >= 5, case .string("storage") = parts[0],
      case .callable(.storageType(let type)) = parts[1], case .string(let key) = parts[2],
      case .integer(let count) = parts[4], count >= 0, parts.count < 6 || parts[5].isNone
    else {
      throw .damaged("a storage before byte \(reader.position) is not described as torch does")
    }
    result.storages.append(PickleResult.Storage(key: key, type: type, count: count))
    stack.append(.storage(result.storages.count - 1))
  }

  private mutating func reduce() throws(PickleProblem) {
    guard case .tuple(let index) = try pop(), case .callable(let callable) = try pop() else {
      throw .refused("something that is not a function, before byte \(reader.position)")
    }
    let arguments = result.tuples[index]
    switch callable {
    case .orderedDictionary:
      guard arguments.isEmpty else { throw .refused("collections.OrderedDict with arguments") }
      push(dictionary: [])
    case .size:
      guard arguments.count == 1, case .tuple = arguments[0] else {
        throw .damaged("torch.Size needs one tuple")
      }
      stack.append(arguments[0])
    case .rebuildParameter:
      guard let first = arguments.first, case .tensor = first else {
        throw .damaged("a parameter before byte \(reader.position) holds no tensor")
      }
      stack.append(first)
    case .rebuildTensor: try rebuildTensor(arguments)
    case .storageType: throw .refused("a call of a storage type")
    case .bookkeeping: stack.append(.opaque)
    }
  }

  /// An object made from its class and a tuple of arguments.
  private mutating func makeObject() throws(PickleProblem) {
    guard case .tuple = try pop(), case .callable(.bookkeeping) = try pop() else {
      throw .refused("an object of a class (the opcode 0x81) before byte \(reader.position)")
    }
    stack.append(.opaque)
  }

  /// Arguments: storage, offset, shape, strides, requires_grad, hooks and perhaps more.
  private mutating func rebuildTensor(_ arguments: [PickleValue]) throws(PickleProblem) {
    guard arguments.count >= 4, case .storage(let storage) = arguments[0],
      case .integer(let offset) = arguments[1], let shape = wholeNumbers(arguments[2]),
      let strides = wholeNumbers(arguments[3]), offset >= 0, shape.count == strides.count
    else {
      throw .damaged("a tensor before byte \(reader.position) is not described as torch does")
    }
    result.tensors.append(
      PickleResult.Tensor(
        storage: result.storages[storage], offset: offset, shape: shape, strides: strides))
    stack.append(.tensor(result.tensors.count - 1))
  }

  private func wholeNumbers(_ value: PickleValue) -> [Int]? {
    guard case .tuple(let index) = value else { return nil }
    var numbers: [Int] = []
    for element in result.tuples[index] {
      guard case .integer(let number) = element, number >= 0 else { return nil }
      numbers.append(number)
    }
    return numbers
  }

  /// State dicts carry attributes beside their members (`_metadata`); they are of no use here.
  private mutating func build() throws(PickleProblem) {
    _ = try pop()
    switch stack.last {
    case .dictionary, .opaque: break
    default: throw .refused("a state for something that is not a dictionary")
    }
  }
}
