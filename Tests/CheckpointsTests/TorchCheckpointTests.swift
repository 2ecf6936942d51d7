import Foundation
import TestSupport
import Testing

@testable import Checkpoints

/// Writes pickles opcode by opcode.
private enum Opcode {
  static let start: [UInt8] = [0x80, 2]
  static let stop: [UInt8] = [0x2E]
  static let mark: [UInt8] = [0x28]
  static let tuple: [UInt8] = [0x74]
  static let reduce: [UInt8] = [0x52]
  static let emptyTuple: [UInt8] = [0x29]
  static let emptyDictionary: [UInt8] = [0x7D]
  static let setItem: [UInt8] = [0x73]
  static let orderedDictionary = global("collections", "OrderedDict") + emptyTuple + reduce

  static func text(_ text: String) -> [UInt8] {
    [0x58] + StoredZip.little(UInt32(text.utf8.count)) + Array(text.utf8)
  }
  static func global(_ module: String, _ name: String) -> [UInt8] {
    [0x63] + Array("\(module)\n\(name)\n".utf8)
  }
  static func integer(_ value: Int) -> [UInt8] { [0x8A, 8] + StoredZip.little(Int64(value)) }
  static func numbers(_ values: [Int]) -> [UInt8] { mark + values.flatMap(integer) + tuple }
  static func storage(_ key: String, _ type: String, _ count: Int) -> [UInt8] {
    mark + text("storage") + global("torch", type) + text(key) + text("cpu") + integer(count)
      + tuple + [0x51]
  }
  static func tensor(
    _ key: String, _ type: String = "FloatStorage", count: Int, offset: Int = 0, shape: [Int],
    strides: [Int]
  ) -> [UInt8] {
    global("torch._utils", "_rebuild_tensor_v2") + mark + storage(key, type, count)
      + integer(offset) + numbers(shape) + numbers(strides) + [0x89] + orderedDictionary + tuple
      + reduce
  }
  static func dictionary(_ members: [(String, [UInt8])]) -> [UInt8] {
    members.reduce(emptyDictionary) { $0 + text($1.0) + $1.1 + setItem }
  }
}

@Suite("PyTorch checkpoints")
struct TorchCheckpointTests {
  /// Numbers 0 to 5.
  private static let six = (0..<6).flatMap { StoredZip.little(Float($0).bitPattern) }

  private func archive(
    _ pickle: [UInt8], data: [UInt8] = six, more: [(name: String, content: [UInt8])] = []
  ) -> [UInt8] {
    StoredZip.archive(
      [("m/data.pkl", Opcode.start + pickle + Opcode.stop), ("m/data/0", data)] + more)
  }

  private func reason(_ bytes: [UInt8]) throws -> String {
    let scratch = try Scratch()
    let path = try scratch.write(bytes, "a.pth")
    let text = try message { try TorchCheckpoint(path: path) }
    #expect(text.hasPrefix(path))
    return text
  }

  @Test func viewsAreMadeDense() throws {
    let scratch = try Scratch()
    let members = Opcode.dictionary([
      ("plain", Opcode.tensor("0", count: 6, shape: [2, 3], strides: [3, 1])),
      ("transposed", Opcode.tensor("0", count: 6, shape: [3, 2], strides: [1, 3])),
      ("tail", Opcode.tensor("0", count: 6, offset: 4, shape: [2], strides: [1])),
      ("expanded", Opcode.tensor("0", count: 6, offset: 1, shape: [2, 2], strides: [0, 2])),
      ("scalar", Opcode.tensor("0", count: 6, offset: 5, shape: [], strides: [])),
      ("odd", Opcode.tensor("0", count: 6, offset: 2, shape: [1, 2], strides: [.max, 1])),
      ("empty", Opcode.tensor("0", count: 6, shape: [0, 4], strides: [4, 1])),
      (
        "parameter",
        Opcode.global("torch._utils", "_rebuild_parameter") + Opcode.mark
          + Opcode.tensor("0", count: 6, shape: [1], strides: [1]) + [0x88]
          + Opcode.orderedDictionary + Opcode.tuple + Opcode.reduce
      ),
      ("epoch", Opcode.integer(3)), ("lr", [0x47, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0]),
    ])
    let path = try scratch.write(archive(Opcode.dictionary([("state_dict", members)])))
    let opened = try openWeights(path: path)
    #expect(opened is TorchCheckpoint)
    #expect(
      opened.names == [
        "empty", "expanded", "odd", "parameter", "plain", "scalar", "tail", "transposed",
      ])
    func floats(_ name: String) throws -> [Float] { try opened.tensor(named: name).floats() }
    #expect(try floats("plain") == [0, 1, 2, 3, 4, 5])
    #expect(try floats("transposed") == [0, 3, 1, 4, 2, 5])
    #expect(opened.shape(of: "transposed") == [3, 2])
    #expect(try floats("tail") == [4, 5])
    #expect(try floats("expanded") == [1, 3, 1, 3])
    #expect(try floats("scalar") == [5])
    #expect(try floats("odd") == [2, 3])
    #expect(try floats("empty") == [])
    #expect(try floats("parameter") == [0])
    #expect(try message { try opened.tensor(named: "epoch") }.contains("no tensor \"epoch\""))
  }

  @Test func theStateDictMayStandAlone() throws {
    let scratch = try Scratch()
    let tensor = Opcode.tensor("0", "LongStorage", count: 3, shape: [3], strides: [1])
    // A state dict is an OrderedDict with an attribute that BUILD sets.
    let pickle =
      Opcode.orderedDictionary + Opcode.text("w") + tensor + Opcode.setItem
      + Opcode.dictionary([("_metadata", Opcode.emptyDictionary)]) + [0x62]
    let path = try scratch.write(archive(pickle))
    #expect(try TorchCheckpoint(path: path).tensor(named: "w").integers().count == 3)
  }

  @Test func anEmptyTensorStartsInItsStorage() throws {
    func empty(at offset: Int) -> [UInt8] {
      archive(
        Opcode.dictionary([
          ("w", Opcode.tensor("0", count: 6, offset: offset, shape: [0], strides: [1]))
        ]))
    }
    #expect(
      try reason(empty(at: 1 << 62)).contains("\"w\": starts at element 4611686018427387904 of a"))
    #expect(try reason(empty(at: 7)).contains("starts at element 7 of a storage of 6"))
    let scratch = try Scratch()
    let path = try scratch.write(empty(at: 6))
    #expect(try TorchCheckpoint(path: path).tensor(named: "w").floats() == [])
  }

  /// Views of stride 0 may come to a thousand times the file.
  @Test func viewsTogetherHaveALimit() throws {
    let large = Opcode.tensor(
      "0", count: 6, shape: [1 << 12, 1 << 12], strides: [0, 0])
    let text = try reason(archive(Opcode.dictionary((0..<8).map { ("w\($0)", large) })))
    #expect(text.contains("more than 64 times over"), "\(text)")
  }

  @Test func aPickleHasALimit() {
    let bytes = [UInt8](repeating: 0x4E, count: 200) + Opcode.stop
    let problem = #expect(throws: PickleProblem.self) {
      try bytes.withUnsafeBytes { _ = try PickleMachine.unpack($0, mostSteps: 100) }
    }
    guard case .damaged(let reason) = problem else {
      Issue.record("\(String(describing: problem))")
      return
    }
    #expect(reason.contains("millions of opcodes"))
    #expect(throws: Never.self) {
      try bytes.withUnsafeBytes { _ = try PickleMachine.unpack($0, mostSteps: 201) }
    }
  }

  @Test func aCallIsRefusedAndNotRun() throws {
    let scratch = try Scratch()
    let trace = scratch.folder + "/ran"
    let call =
      Opcode.global("os", "system") + Opcode.mark + Opcode.text("touch \(trace)") + Opcode.tuple
      + Opcode.reduce
    let text = try reason(archive(Opcode.dictionary([("w", call)])))
    #expect(text.contains("wants to use os.system"))
    #expect(text.contains("refused and not run"))
    #expect(!FileManager.default.fileExists(atPath: trace))
    let stack = Opcode.text("builtins") + Opcode.text("eval") + [0x93]
    #expect(try reason(archive(stack)).contains("builtins.eval"))
    #expect(try reason(archive([0x28, 0x69] + Array("os\nsystem\n".utf8))).contains("os.system"))
    #expect(try reason(archive(Opcode.emptyTuple + Opcode.emptyTuple + [0x81])).contains("0x81"))
    #expect(try reason(archive([0x82, 1])).contains("0x82"))
    let state = Opcode.integer(1) + Opcode.emptyDictionary + [0x62]
    #expect(try reason(archive(state)).contains("a state for something"))
  }

  /// What MMEngine's runner writes beside the weights is passed over, and nothing of it is made.
  @Test func historiesOfATrainingRunArePassedOver() throws {
    let scratch = try Scratch()
    // A number of NumPy: its type and its bytes.
    let scalar =
      Opcode.global("numpy._core.multiarray", "scalar") + Opcode.mark
      + Opcode.global("numpy", "dtype") + Opcode.mark + Opcode.text("f8") + Opcode.tuple
      + Opcode.reduce + Opcode.global("_codecs", "encode") + Opcode.mark + Opcode.text("x")
      + Opcode.text("latin1") + Opcode.tuple + Opcode.reduce + Opcode.tuple + Opcode.reduce
    let history =
      Opcode.global("mmengine.logging.history_buffer", "HistoryBuffer") + Opcode.emptyTuple + [0x81]
      + Opcode.dictionary([("max_length", Opcode.integer(9)), ("last", scalar)]) + [0x62]
    let weights = Opcode.dictionary([("w", Opcode.tensor("0", count: 6, shape: [6], strides: [1]))])
    let path = try scratch.write(
      archive(
        Opcode.dictionary([
          ("meta", Opcode.dictionary([("seed", scalar)])), ("state_dict", weights),
          ("message_hub", Opcode.dictionary([("log_scalars", history)])),
        ])))
    let opened = try TorchCheckpoint(path: path)
    #expect(opened.names == ["w"])
    #expect(try opened.tensor(named: "w").floats() == [0, 1, 2, 3, 4, 5])
    // A weight is never one of them.
    let odd = try scratch.write(
      archive(
        Opcode.dictionary([
          ("w", history), ("v", Opcode.tensor("0", count: 6, shape: [6], strides: [1])),
        ])))
    #expect(try TorchCheckpoint(path: odd).names == ["v"])
    // Another class of the same module is refused as ever.
    let other = Opcode.global("mmengine.logging.history_buffer", "Other")
    #expect(try reason(archive(other)).contains("mmengine.logging.history_buffer.Other"))
  }

  @Test func tensorsOutsideTheirStorageAreRefused() throws {
    func view(
      key: String = "0", count: Int = 6, offset: Int = 0, _ shape: [Int], _ strides: [Int]
    ) throws -> String {
      let tensor = Opcode.tensor(key, count: count, offset: offset, shape: shape, strides: strides)
      return try reason(archive(Opcode.dictionary([("w", tensor)])))
    }
    #expect(try view([7], [1]).contains("\"w\": reaches element 6 of a storage of 6"))
    #expect(try view(offset: 6, [1], [1]).contains("reaches element 6"))
    #expect(try view([2, 2], [5, 1]).contains("reaches element 6"))
    #expect(try view([3], [.max]).contains("overflow"))
    #expect(try view([1 << 40, 1 << 40], [0, 0]).contains("overflows"))
    #expect(try view([1 << 40], [0]).contains("contiguous()"))
    #expect(try view(key: "9", [1], [1]).contains("\"9\" is not in the file"))
    #expect(try view(count: 7, [1], [1]).contains("24 bytes, which is not 7 numbers"))
    #expect(try view(count: .max, [1], [1]).contains("24 bytes"))
    #expect(try view([-1], [1]).contains("not described"))
    #expect(try view([1], [1, 1]).contains("not described"))
    #expect(try view(offset: -1, [1], [1]).contains("not described"))
  }

  @Test(
    arguments: [
      ([], "takes more than it put"), ([0x4B], "ends early"),
      ([0x58, 255, 255, 255, 255], "ends early"),
      ([0x68, 9], "memo 9"), ([0x74], "a mark is missing"), ([0x28, 0x85], "a mark stands"),
      ([0xFE], "unknown opcode 0xfe"), ([0x4E, 0x61], "without a list"),
      ([0x4E, 0x4E, 0x61], "without a list"),
      ([0x4E, 0x4E, 0x4E, 0x73], "without a dictionary"), ([0x4E], "no dictionary"),
      ([0x7D], "holds no tensors"), ([0x8D, 0, 0, 0, 0, 0, 0, 0, 255], "too large"),
      ([0x8A, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1], "does not fit"),
      ([0x8A, 8, 0, 0, 0, 0, 0, 0, 0, 0x80], "no dictionary"),
      ([0x58, 1, 0, 0, 0, 255], "not valid UTF-8"), ([0x29, 0x51], "not described"),
      ([0x80, 9], "protocol 9"), ([0x49, 0x78, 0x0A], "no 64-bit number"),
    ] as [([UInt8], String)])
  func damagedPicklesAreRefused(pickle: [UInt8], text: String) throws {
    let found = try reason(archive(pickle))
    #expect(found.contains(text), "\(found)")
  }

  @Test func deepNestingIsHarmless() throws {
    let deep = [UInt8](repeating: 0x85, count: 300_000)
    let nested = Opcode.dictionary([("deep", Opcode.emptyTuple + deep)])
    #expect(try reason(archive(nested)).contains("holds no tensors"))
  }

  @Test func otherArchivesAreRefused() throws {
    let tensor = Opcode.dictionary([("w", Opcode.tensor("0", count: 6, shape: [6], strides: [1]))])
    #expect(
      try reason(archive(tensor, more: [("m/constants.pkl", [])])).contains("TorchScript archive"))
    #expect(
      try reason(archive(tensor, more: [("m/byteorder", Array("big".utf8))]))
        .contains("not little-endian"))
    #expect(try reason(StoredZip.archive([("a.txt", [])])).contains("no single data.pkl"))
    let whole = archive(tensor)
    #expect(try reason(Array(whole[..<(whole.count / 2)])).contains("cut short"))
    #expect(try reason(Array(whole[..<(whole.count - 1)])).contains("cut short"))
  }

  @Test func aDamagedStorageIsRefusedWhenRead() throws {
    let scratch = try Scratch()
    let pickle = Opcode.dictionary([("w", Opcode.tensor("0", count: 6, shape: [6], strides: [1]))])
    var bytes = archive(pickle)
    let place = try #require(bytes.firstRange(of: Self.six)).lowerBound
    bytes[place] ^= 1
    let path = try scratch.write(bytes)
    let text = try message { try TorchCheckpoint(path: path).tensor(named: "w") }
    #expect(text.contains("entry \"m/data/0\": is damaged"))
  }

  /// The format before PyTorch 1.6: pickles in a row and the storages behind them.
  private func row(
    _ pickle: [UInt8], keys: [String] = ["0"], storages: [UInt8]? = nil, version: UInt8 = 0xE9,
    isLittle: Bool = true
  ) -> [UInt8] {
    func whole(_ pickle: [UInt8]) -> [UInt8] { Opcode.start + pickle + Opcode.stop }
    let magic: [UInt8] = [
      0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
    ]
    let machine = Opcode.dictionary([("little_endian", isLittle ? [0x88] : [0x89])])
    let list = [0x5D] + Opcode.mark + keys.flatMap(Opcode.text) + [0x65]
    return magic + whole([0x4D, version, 3]) + whole(machine) + whole(pickle) + whole(list)
      + (storages ?? StoredZip.little(Int64(6)) + Self.six)
  }

  @Test func filesBeforeTheArchiveAreRead() throws {
    let scratch = try Scratch()
    let members = Opcode.dictionary([
      ("plain", Opcode.tensor("0", count: 6, shape: [2, 3], strides: [3, 1])),
      ("transposed", Opcode.tensor("0", count: 6, shape: [3, 2], strides: [1, 3])),
    ])
    let path = try scratch.write(row(Opcode.dictionary([("state_dict", members)])), "old.pth")
    let opened = try openWeights(path: path)
    #expect(opened is TorchCheckpoint && opened.names == ["plain", "transposed"])
    #expect(try opened.tensor(named: "plain").floats() == [0, 1, 2, 3, 4, 5])
    #expect(try opened.tensor(named: "transposed").floats() == [0, 3, 1, 4, 2, 5])

    let whole = row(members)
    #expect(try reason(Array(whole.dropLast())).contains("reaches past the end of the file"))
    #expect(try reason(Array(whole.dropLast(30))).contains("are cut short"))
    #expect(try reason(row(members, version: 0xEA)).contains("format before PyTorch 1.6"))
    #expect(try reason(row(members, isLittle: false)).contains("not little-endian"))
    #expect(try reason(row(members, keys: ["1"])).contains("does not fit the tensors"))
    #expect(try reason(row(members, keys: [], storages: [])).contains("\"0\" is not in the file"))
    for count in [-1, .max, 1 << 62] as [Int64] {
      let text = try reason(row(members, storages: StoredZip.little(count) + Self.six))
      #expect(text.contains("storage \"0\" of \(count) numbers"), "\(text)")
    }
    for length in 0..<whole.count {
      let path = try scratch.write(Array(whole.prefix(length)))
      #expect(throws: CheckpointError.self) { _ = try openWeights(path: path) }
    }
  }

  @Test func foreignFilesAreToldApart() throws {
    let scratch = try Scratch()
    var tar = [UInt8](repeating: 0, count: 1024)
    tar.replaceSubrange(257..<262, with: Array("ustar".utf8))
    let old = try scratch.write(tar, "oldest.pth")
    #expect(
      try message { try openWeights(path: old) }.contains("tar archive, before PyTorch 0.1.10"))
    let page = try scratch.write(Array("<!DOCTYPE html><html>".utf8))
    #expect(try message { try openWeights(path: page) }.contains("is a web page, not the file"))
    let empty = try scratch.write([])
    #expect(try message { try openWeights(path: empty) }.contains("is empty"))
    #expect(try message { try openWeights(path: empty + "x") }.contains("no such file"))
    let weights = scratch.folder + "/renamed.pth"
    try SafeTensors.write(tensors: [("a", HostTensor(shape: [1], floats: [1]))], to: weights)
    #expect(try openWeights(path: weights) is SafeTensorsFile)
  }
}
