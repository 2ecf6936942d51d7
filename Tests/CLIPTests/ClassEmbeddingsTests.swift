import Annotations
import CLIP
import Checkpoints
import Formats
import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@Suite(
  "Class embeddings",
  .enabled(
    if: FileManager.default.fileExists(atPath: Fixture.folder + "/clip_tiny/hf/config.json"),
    "clip_tiny/hf is missing from the fixtures: set BARON_FIXTURES"))
struct ClassEmbeddingsTests {
  private static let folder = Fixture.folder + "/clip_tiny/hf"
  private static let names = ["traffic light", "orange", "cat", "stop_sign", "umbrella"]

  private func withEncoder(
    of folder: String = folder, _ body: (TextEncoder, Tokenizer) throws -> Void
  ) throws {
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 0)
      let encoder = try TextEncoder(try CLIPWeights(folder: folder), store: store)
      #expect(store.trained.isEmpty, "CLIP is frozen")
      try body(encoder, try Tokenizer(folder: folder))
    }
  }

  private func unit(_ values: [Double]) -> [Double] {
    let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return values.map { $0 / length }
  }

  @Test("the unit mean of sentences that are encoded one by one", arguments: [true, false])
  func ensemble(isFinal: Bool) throws {
    try withEncoder { encoder, tokenizer in
      let output: TextEncoder.Output =
        isFinal ? .final : .block(encoder.configuration.text.layers)
      let width =
        isFinal ? encoder.configuration.embeddingWidth : encoder.configuration.text.width
      let names = Array(Self.names.prefix(2))
      let embeddings = try ClassEmbeddings.encode(
        names, tokenizer: tokenizer, encoder: encoder, output: output)
      #expect(embeddings.shape == [names.count, width])
      let wanted = try names.flatMap { name in
        var sum = [Double](repeating: 0, count: width)
        for text in PromptTemplates.texts(for: name) {
          let ids = try tokenizer.encode(
            [text], contextLength: encoder.configuration.contextLength, overflow: .reject)
          let feature = try encoder.encode(ids: ids, output: output).sentences.floats()
          for (index, value) in unit(feature.map(Double.init)).enumerated() { sum[index] += value }
        }
        return unit(sum)
      }
      expectClose(
        try embeddings.floats(), wanted, relative: 1e-4, absolute: 1e-5, "final: \(isFinal)")
    }
  }

  @Test("a class does not depend on the others by a bit, across the limits of a chunk too")
  func order() throws {
    let names = Self.names + (0..<8).map { "harp \($0)" }
    try withEncoder { encoder, tokenizer in
      func rows(_ names: [String]) throws -> [String: [Float]] {
        let embeddings = try ClassEmbeddings.encode(
          names, tokenizer: tokenizer, encoder: encoder, output: .final)
        let (values, width) = (try embeddings.floats(), embeddings.shape[1])
        return Dictionary(
          uniqueKeysWithValues: names.enumerated().map {
            ($1, Array(values[$0 * width..<($0 + 1) * width]))
          })
      }
      let forward = try rows(names)
      let backward = try rows(names.reversed())
      for name in names {
        let wanted = try #require(forward[name])
        #expect(backward[name] == wanted, "\(name)")
        #expect(try rows([name])[name] == wanted, "\(name) alone")
      }
    }
  }

  @Test("both kinds in one pass are those of two passes")
  func bothKinds() throws {
    try withEncoder { encoder, tokenizer in
      let classes = Self.names.map { ClassName($0) }
      let outputs: [TextEncoder.Output] = [.final, .block(1), .block(3)]
      let together = try ClassEmbeddings.encode(
        classes, tokenizer: tokenizer, encoder: encoder, outputs: outputs,
        templates: PromptTemplates.texts(for:))
      for (output, matrix) in zip(outputs, together) {
        let alone = try ClassEmbeddings.encode(
          Self.names, tokenizer: tokenizer, encoder: encoder, output: output)
        #expect(try alone.floats() == matrix.values)
      }
    }
  }

  @Test("a class with synonyms is the unit mean of its names")
  func synonyms() throws {
    try withEncoder { encoder, tokenizer in
      let names = Self.names
      let rows = try ClassEmbeddings.encode(
        names, tokenizer: tokenizer, encoder: encoder, output: .final
      ).floats().map(Double.init)
      let width = encoder.configuration.embeddingWidth
      func row(_ index: Int) -> [Double] { Array(rows[index * width..<(index + 1) * width]) }
      var counts: [Int] = []
      let found = try ClassEmbeddings.encode(
        [ClassName(names[0]), ClassName(names[1], synonyms: [names[2], names[3]])],
        tokenizer: tokenizer, encoder: encoder, outputs: [.final],
        templates: PromptTemplates.texts(for:)
      ) { done, total in counts += [done, total] }
      let sum = (0..<width).map { row(1)[$0] + row(2)[$0] + row(3)[$0] }
      expectClose(
        found[0].values, row(0) + unit(sum), relative: 1e-4, absolute: 1e-5, "synonyms")
      #expect(found[0].count == 2 && counts.suffix(2) == [4, 4])
    }
  }

  /// The peer's features of sentences, one for each "class": the ensemble's parts.
  @Test("the peers' features of whole sentences")
  func peers() throws {
    let fixture = try Fixture("clip/prompts.safetensors")
    let cases = try JSONValue(contentsOf: Fixture.folder + "/clip/tokenizer_tiny.json")["cases"]
    let texts = try #require(cases?.array?.compactMap { $0["text"]?.string })
    try withEncoder(of: clipFolder(fixture)) { encoder, tokenizer in
      let width = encoder.configuration.embeddingWidth
      let wanted = try fixture.floats("y").map(Double.init)
      try #require(texts.count * width == wanted.count)
      let each = try ClassEmbeddings.encode(
        texts, tokenizer: tokenizer, encoder: encoder, output: .final, templates: { [$0] })
      try fixture.expect(each, equals: "y")
      let all = try ClassEmbeddings.encode(
        ["all"], tokenizer: tokenizer, encoder: encoder, output: .final, templates: { _ in texts })
      let sum = (0..<width).map { column in
        texts.indices.reduce(0) { $0 + wanted[$1 * width + column] }
      }
      expectClose(
        try all.floats(), unit(sum), relative: fixture.relative, absolute: fixture.absolute, "all")
    }
  }

  @Test("a name without room in the context is refused")
  func tooLong() throws {
    try withEncoder { encoder, tokenizer in
      let name = [String](repeating: "harp", count: encoder.configuration.contextLength)
        .joined(separator: " ")
      let error = #expect(throws: TokenizerError.self) {
        try ClassEmbeddings.encode(
          ["cat", name], tokenizer: tokenizer, encoder: encoder, output: .final)
      }
      guard case .nameTooLong(let found, let count, let limit) = error else {
        Issue.record("another error: \(String(describing: error))")
        return
      }
      #expect(found == name && count > limit && limit == encoder.configuration.contextLength)
    }
  }
}
