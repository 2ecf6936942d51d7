import Checkpoints
import Formats
import Foundation
import TestSupport
import Testing

@Suite("Safetensors")
struct SafeTensorsTests {
  private func file(header: String, data: [UInt8] = []) -> [UInt8] {
    StoredZip.little(UInt64(header.utf8.count)) + Array(header.utf8) + data
  }

  @Test func whatIsWrittenIsReadBack() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/a.safetensors"
    let tensors: [(name: String, tensor: HostTensor)] = [
      ("flags", HostTensor(name: "flags", shape: [3], type: .bool, bytes: [1, 0, 1])),
      ("b.weight", HostTensor(name: "b.weight", shape: [2, 3], floats: [1, 2, 3, -4, .pi, 0])),
      ("ids", HostTensor(name: "ids", shape: [2], wideIntegers: [-5, 1 << 40])),
      ("scalar", HostTensor(name: "scalar", shape: [], integers: [7])),
      ("empty", HostTensor(name: "empty", shape: [0, 4], floats: [])),
    ]
    try SafeTensors.write(tensors: tensors, metadata: ["step": "12 \"x\""], to: path)
    let opened = try SafeTensorsFile(path: path)
    #expect(opened.metadata == ["step": "12 \"x\""])
    #expect(opened.names == ["b.weight", "empty", "flags", "ids", "scalar"])
    for (name, tensor) in tensors {
      #expect(try opened.tensor(named: name) == tensor)
      #expect(opened.shape(of: name) == tensor.shape)
      #expect(opened.type(of: name) == tensor.type)
    }
    #expect(try opened.tensor(named: "ids").integers() == [-5, 1 << 40])
    #expect(try opened.tensor(named: "flags").integers() == [1, 0, 1])
    let again = scratch.folder + "/b.safetensors"
    try SafeTensors.write(
      tensors: tensors.reversed(), metadata: ["step": "12 \"x\""], to: again)
    #expect(try Data(contentsOf: URL(filePath: path)) == Data(contentsOf: URL(filePath: again)))
  }

  @Test func anEmptyFileOfTensorsIsSound() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/empty.safetensors"
    try SafeTensors.write(tensors: [], to: path)
    #expect(try SafeTensorsFile(path: path).names.isEmpty)
    #expect(
      try message { try SafeTensorsFile(path: path).tensor(named: "x") }.contains("no tensor"))
  }

  @Test func theWriterRefusesWhatCannotBeRead() throws {
    let scratch = try Scratch()
    let tensor = HostTensor(shape: [1], floats: [1])
    let twice = try message {
      try SafeTensors.write(
        tensors: [("a", tensor), ("a", tensor)], to: scratch.folder + "/x")
    }
    #expect(twice.contains("given twice"))
    let reserved = try message {
      try SafeTensors.write(tensors: [("__metadata__", tensor)], to: scratch.folder + "/x")
    }
    #expect(reserved.contains("reserved"))
    let folder = try message {
      try SafeTensors.write(tensors: [("a", tensor)], to: scratch.folder + "/none/x")
    }
    #expect(folder.contains("/none/x: cannot be written"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.folder).isEmpty)
  }

  @Test(arguments: [
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}"#, 8, "8 bytes where shape [1]"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4, "cut short"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 8, "describes 4 bytes"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "leave a gap"),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
      4, "overlap"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
      8, "stands twice"
    ),
    (#"{"a":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}}"#, 4, "unknown dtype \"Q4\""),
    (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "not negative"),
    (#"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, 4, "whole numbers"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "before its start"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, 4, "two whole numbers"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,1e300]}}"#, 4, "data_offsets"),
    (
      #"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#, 4, "overflows"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}"#, 0,
      "overflows"
    ),
    (#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#, 4, "no text \"dtype\""),
    (#"{"a":[]}"#, 0, "no text \"dtype\""),
    (#"{"__metadata__":{"a":1}}"#, 0, "more than texts"),
    (#"{"__metadata__":[]}"#, 0, "not an object"),
    (#"{"a":"#, 0, "line 1"),
    (#"[]"#, 0, "not a JSON object"),
    (#"{} x"#, 0, "unexpected text"),
  ])
  func hostileHeadersAreRefused(header: String, bytes: Int, reason: String) throws {
    let scratch = try Scratch()
    let path = try scratch.write(
      file(header: header, data: [UInt8](repeating: 0, count: bytes)), "hostile.safetensors")
    let text = try message { try SafeTensorsFile(path: path) }
    #expect(text.hasPrefix(path))
    #expect(text.contains(reason), "\(text)")
  }

  @Test func hostileLengthsAreRefused() throws {
    let scratch = try Scratch()
    func reason(_ bytes: [UInt8]) throws -> String {
      let path = try scratch.write(bytes)
      return try message { try SafeTensorsFile(path: path) }
    }
    #expect(try reason([]).contains("too few"))
    #expect(try reason([1, 2, 3]).contains("too few"))
    #expect(try reason(StoredZip.little(UInt64(50)) + [0x7B]).contains("cut short"))
    #expect(try reason(StoredZip.little(UInt64.max) + [0x7B]).contains("allows 100000000"))
    #expect(try reason(StoredZip.little(UInt64(100_000_001))).contains("allows"))
    #expect(try reason(StoredZip.little(UInt64(2)) + [0x7B, 0xFF]).contains("not a JSON object"))
    #expect(
      try message { try SafeTensorsFile(path: scratch.folder + "/none") }.contains("no such file"))
    #expect(
      try message { try SafeTensorsFile(path: scratch.folder) }.contains("not a regular file"))
  }

  @Test func everyTruncationOfASoundFileIsRefused() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/whole"
    try SafeTensors.write(
      tensors: [("a", HostTensor(shape: [3], floats: [1, 2, 3]))], to: path)
    let whole = [UInt8](try Data(contentsOf: URL(filePath: path)))
    for count in 0..<whole.count {
      let cut = try scratch.write(Array(whole[..<count]))
      #expect(throws: CheckpointError.self) { try SafeTensorsFile(path: cut) }
    }
  }
}

@Suite("Host tensors")
struct HostTensorTests {
  @Test func allFloatingPointTypesConvert() throws {
    func values(_ type: StoredType, _ bytes: [UInt8]) throws -> [Float] {
      try HostTensor(shape: [bytes.count / type.byteCount], type: type, bytes: bytes).floats()
    }
    #expect(try values(.float16, [0, 0x3C, 1, 0, 0, 0xFC]) == [1, 0x1p-24, -.infinity])
    #expect(try values(.bfloat16, [0x80, 0x3F, 0x49, 0xC0]) == [1, -3.140625])
    #expect(try values(.float64, StoredZip.little((0.1).bitPattern)) == [0.1])
    #expect(try values(.float64, StoredZip.little((1e300).bitPattern)) == [.infinity])
    #expect(try values(.float32, [0, 0, 0xC0, 0x7F])[0].isNaN)
  }

  @Test func allWholeNumberTypesConvert() throws {
    func values(_ type: StoredType, _ bytes: [UInt8]) throws -> [Int] {
      try HostTensor(
        name: "n", shape: [bytes.count / type.byteCount], type: type, bytes: bytes
      ).integers()
    }
    #expect(try values(.uint8, [255]) == [255])
    #expect(try values(.int8, [255]) == [-1])
    #expect(try values(.uint16, [255, 255]) == [65535])
    #expect(try values(.int16, [255, 255]) == [-1])
    #expect(try values(.uint32, [255, 255, 255, 255]) == [4_294_967_295])
    #expect(try values(.int32, [255, 255, 255, 255]) == [-1])
    #expect(try values(.uint64, [1, 0, 0, 0, 0, 0, 0, 0]) == [1])
    #expect(
      try message { try values(.uint64, [UInt8](repeating: 255, count: 8)) }.contains("beyond"))
    #expect(try message { try values(.float32, [0, 0, 0, 0]) }.contains("\"n\": holds F32"))
    #expect(
      try message { try HostTensor(shape: [1], integers: [1]).floats() }.contains("holds I32"))
  }

  /// A tensor of a file that another program cuts is an error, not zeros.
  @Test func aFileMayBecomeShorter() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/large.safetensors"
    let ones = HostTensor(shape: [1 << 20], floats: [Float](repeating: 1, count: 1 << 20))
    try SafeTensors.write(tensors: [("a", ones), ("b", ones)], to: path)
    let file = try SafeTensorsFile(path: path)
    #expect(try file.tensor(named: "b").floats().allSatisfy { $0 == 1 })
    #expect(truncate(path, 5 << 20) == 0)
    let text = try message { try file.tensor(named: "b") }
    #expect(text.hasPrefix("\(path): became shorter while it was read"), "\(text)")
    #expect(try message { try StoredFloats.read("b", of: file) { $0.count } } == text)
  }
}
