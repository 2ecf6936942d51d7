import Checkpoints
import Formats
import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@testable import CLIP

private let modules = ["torch", "transformers", "safetensors"]

/// Folders as Hugging Face's programs write them, made here by those programs.
@Suite(
  "CLIP folders against Hugging Face", .serialized,
  .enabled(
    if: PeerPython.python(importing: modules) != nil,
    Comment(rawValue: PeerPython.missing(modules))))
struct FolderTests {
  static let kinds = [
    "single", "shards", "bin", "bin-half", "bin-shards", "older", "bare", "gelu", "l14", "h14",
  ]

  @Test("every kind gives the peer's ids and features")
  func agrees() throws {
    let root = FileManager.default.temporaryDirectory.path + "/baron-clip-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root) }
    try PeerPython.run(script: "clip_folders.py", arguments: [root])
    let written = try FileManager.default.contentsOfDirectory(atPath: root)
    #expect(Set(written) == Set(Self.kinds))
    try TestDevice.withContext { context in
      let stream = try ComputeStream(context: context)
      for kind in Self.kinds { try check("\(root)/\(kind)", kind, stream) }
    }
  }

  private func check(_ folder: String, _ kind: String, _ stream: ComputeStream) throws {
    let weights = try CLIPWeights(folder: folder)
    let isGELU = ["gelu", "h14"].contains(kind)
    #expect((weights.configuration.text.activation == .gelu) == isGELU, "\(kind)")
    let texts = try JSONValue(contentsOf: folder + "/texts.json")
    let tokenizer = try Tokenizer(folder: folder)
    let list = try #require(texts["texts"]?.array)
    let lines = list.compactMap(\.string)
    let rows = try #require(texts["ids"]?.array)
    let ids = rows.map { $0.array?.compactMap(\.integer) ?? [] }
    for (text, row) in zip(lines, ids) {
      let found = [tokenizer.startID] + tokenizer.ids(text) + [tokenizer.endID]
      #expect(found == row, "\(kind): \(text)")
    }
    let expected = try SafeTensorsFile(path: folder + "/expected.safetensors")
    func floats(_ name: String) throws -> [Float] { try expected.tensor(named: name).floats() }
    func store() -> ParameterStore { ParameterStore(stream: stream, seed: 0) { _ in true } }
    let features = try TextEncoder(weights, store: store())
      .encode(ids: ids.map { row in row.map { Int32($0) } }.padded, outputs: [.final])
    expectClose(
      try features[0].floats(), try floats("text_features"), relative: 1e-3, absolute: 1e-5,
      "\(kind), text")
    let shape = try #require(expected.shape(of: "pixels"))
    let pixels = try Tensor(try floats("pixels"), shape: shape, on: stream)
    expectClose(
      try ImageEncoder(weights, store: store()).encode(pixels).images.floats(),
      try floats("image_features"), relative: 1e-3, absolute: 1e-5, "\(kind), images")
  }
}

extension [[Int32]] {
  /// Rows of one length: the end id, which is the largest, stands first where it ends a text.
  fileprivate var padded: [[Int32]] {
    let length = map(\.count).max() ?? 0
    return map { $0 + [Int32](repeating: $0.last ?? 0, count: length - $0.count) }
  }
}

/// `tokenizer.json`, read without a peer.
@Suite("Tokenizer in one file")
struct TokenizerFileTests {
  private static let merges = [["c", "a"], ["ca", "t</w>"]]

  private static var vocabulary: [String: JSONValue] {
    let bytes = ByteAlphabet.ordered.map { String($0) }
    let symbols = bytes + bytes.map { $0 + "</w>" } + ["ca", "cat</w>"]
    return Dictionary(
      uniqueKeysWithValues: symbols.enumerated().map { ($1, .number(Double($0))) })
  }

  private static func model(_ changes: [String: JSONValue] = [:]) -> JSONValue {
    let model: [String: JSONValue] = [
      "type": "BPE", "end_of_word_suffix": "</w>", "vocab": .object(vocabulary),
      "merges": .array(merges.map { .array($0.map { .string($0) }) }),
    ]
    return .object(model.merging(changes) { $1 })
  }

  private static let markers: JSONValue = [
    ["content": "<|startoftext|>", "id": 514], ["content": "<|endoftext|>", "id": 515],
  ]

  private func read(_ model: JSONValue, added: JSONValue = markers) throws -> Tokenizer {
    let folder = FileManager.default.temporaryDirectory.path + "/baron-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let document: JSONValue = ["model": model, "added_tokens": added]
    try Data(document.text().utf8).write(to: URL(filePath: folder + "/tokenizer.json"))
    return try Tokenizer(folder: folder)
  }

  @Test func mergesMayBePairsOrLines() throws {
    let pairs = try read(Self.model())
    #expect(pairs.vocabularySize == 516 && pairs.startID == 514 && pairs.endID == 515)
    #expect(pairs.ids("cat") == [513])
    #expect(pairs.ids("cats") == [512, 83, 338])
    let lines: JSONValue = ["c a", "ca t</w>"]
    #expect(try read(Self.model(["merges": lines])).ids("cat a") == [513, 320])
    // Markers may stand in the table as well.
    let whole = Self.vocabulary.merging(["<|startoftext|>": 514, "<|endoftext|>": 515]) { $1 }
    #expect(try read(Self.model(["vocab": .object(whole)])).endID == 515)
    #expect(try read(Self.model(["vocab": .object(whole)]), added: []).startID == 514)
  }

  @Test func othersAreRefused() throws {
    func reason(_ model: JSONValue, added: JSONValue = Self.markers) -> String {
      do {
        _ = try read(model, added: added)
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(reason(Self.model(["type": "Unigram"])).contains("no byte-pair tokenizer"))
    #expect(reason(Self.model(["end_of_word_suffix": ""])).contains("no byte-pair tokenizer"))
    #expect(reason(.null).contains("no byte-pair tokenizer"))
    #expect(reason(Self.model(["merges": [["c"]]])).contains("merge 1 is no pair"))
    #expect(reason(Self.model(), added: []).contains("has no \"<|startoftext|>\""))
    #expect(
      reason(Self.model(), added: [["content": "!", "id": 600]]).contains("\"!\" has two ids"))
    #expect(
      reason(Self.model(["vocab": .object(Self.vocabulary.merging(["x y": 9_000]) { $1 })]))
        .contains("each once"))
  }
}
