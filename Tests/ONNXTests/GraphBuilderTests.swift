import Formats
import Foundation
import ONNX
import TestSupport
import Testing

/// Files are read back by a reader of fields that knows only the wire format.
@Suite struct GraphBuilderTests {
  /// One field of a message.
  private enum Content: Equatable {
    case integer(UInt64)
    case fourBytes([UInt8])
    case bytes([UInt8])
  }

  /// The fields of a message, in order; nil when the bytes are no message.
  private func fields(_ bytes: [UInt8]) -> [(number: Int, content: Content)]? {
    var place = 0
    func varint() -> UInt64? {
      var (value, shift) = (UInt64(0), UInt64(0))
      while place < bytes.count, shift < 64 {
        let byte = bytes[place]
        place += 1
        value |= UInt64(byte & 0x7f) << shift
        if byte < 0x80 { return value }
        shift += 7
      }
      return nil
    }
    var result: [(Int, Content)] = []
    while place < bytes.count {
      guard let header = varint() else { return nil }
      let number = Int(header >> 3)
      switch header & 7 {
      case 0:
        guard let value = varint() else { return nil }
        result.append((number, .integer(value)))
      case 2:
        guard let length = varint(), place + Int(length) <= bytes.count else { return nil }
        result.append((number, .bytes(Array(bytes[place..<place + Int(length)]))))
        place += Int(length)
      case 5:
        guard place + 4 <= bytes.count else { return nil }
        result.append((number, .fourBytes(Array(bytes[place..<place + 4]))))
        place += 4
      default: return nil
      }
    }
    return result
  }

  private func texts(_ number: Int, in bytes: [UInt8]) throws -> [String] {
    try parts(number, in: bytes).map { String(decoding: $0, as: UTF8.self) }
  }

  private func parts(_ number: Int, in bytes: [UInt8]) throws -> [[UInt8]] {
    try #require(fields(bytes)).compactMap { field in
      guard field.number == number, case .bytes(let bytes) = field.content else { return nil }
      return bytes
    }
  }

  private func written(_ model: WireMessage) throws -> [UInt8] {
    let folder = try TemporaryFolder()
    try ONNXFile.write(model, to: "\(folder.path)/model.onnx")
    return Array(try Data(contentsOf: URL(filePath: "\(folder.path)/model.onnx")))
  }

  @Test func aGraphIsWrittenNodeByNode() throws {
    let graph = GraphBuilder(name: "small")
    let x = graph.input("x", .float, axes: ["rows", 2])
    let weight = graph.initializer(
      "w", .float, shape: [1, 2], bytes: [0, 0, 128, 63, 0, 0, 0, 64])
    let y = graph.scoped("head") { (x.linear(weight, bias: nil) + 1).mapped("Relu") }
    graph.output(y, as: "y", axes: ["rows", 1])
    let model = try written(
      graph.model(producer: "test", description: "", metadata: ["names": "[]"]))
    #expect(try texts(2, in: model) == ["test"])
    let body = try #require(try parts(7, in: model).first)
    #expect(try texts(2, in: body) == ["small"])
    let nodes = try parts(1, in: body)
    #expect(try nodes.flatMap { try texts(4, in: $0) } == ["Gemm", "Add", "Relu", "Identity"])
    #expect(
      try texts(3, in: nodes[0]) == ["head/Gemm_1"] && texts(1, in: nodes[0]) == ["x", "w"])
    // Each input was made before.
    var known: Set<String> = ["", "x", "w", "constant/0"]
    for node in nodes {
      #expect(try texts(1, in: node).allSatisfy(known.contains))
      known.formUnion(try texts(2, in: node))
    }
    let tensors = try parts(5, in: body)
    #expect(try tensors.flatMap { try texts(8, in: $0) } == ["w", "constant/0"])
    #expect(try parts(9, in: tensors[1]) == [[0, 0, 128, 63]])
    #expect(try parts(14, in: model).flatMap { try texts(1, in: $0) } == ["names"])
  }

  @Test func equalConstantsAreStoredOnce() throws {
    let graph = GraphBuilder(name: "constants")
    let names = [
      graph.list([1, 2]), graph.list([1, 2]), graph.constant([1, 2], .float),
      graph.constant([1], .int64), graph.constant([1], .int64, shape: []),
    ].map(\.name)
    #expect(Set(names).count == 4 && names[0] == names[1])
  }

  @Test func aFolderThatIsMissingIsTold() {
    #expect(throws: FormatError.self) {
      try ONNXFile.write(WireMessage(), to: "/nonexistent/model.onnx")
    }
  }
}
