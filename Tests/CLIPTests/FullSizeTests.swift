import Annotations
import Checkpoints
import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@testable import CLIP

private let modules = ["torch", "transformers", "safetensors"]

/// Models of published size with random weights against Hugging Face's program, run here.
@Suite(
  "CLIP at full size against Hugging Face", .serialized,
  .enabled(
    if: PeerPython.python(importing: modules) != nil,
    Comment(rawValue: PeerPython.missing(modules))))
struct FullSizeTests {
  private static let mergeTable = Fixture.folder + "/clip-bpe/bpe_simple_vocab_16e6.txt.gz"
  private static let relative = 1e-3
  /// For values near 0; components of the unit vectors are about 0.04.
  private static let absolute = 2e-5

  /// What the peer wrote.
  private struct Expected {
    let file: SafeTensorsFile

    func floats(_ name: String) throws -> [Float] { try file.tensor(named: name).floats() }

    func tensor(_ name: String, on stream: ComputeStream) throws -> Tensor {
      try Tensor(try floats(name), shape: try #require(file.shape(of: name)), on: stream)
    }

    func check(
      _ got: Tensor?, _ name: String, location: SourceLocation = #_sourceLocation
    ) throws {
      expectClose(
        try #require(got, sourceLocation: location).floats(), try floats(name),
        relative: FullSizeTests.relative, absolute: FullSizeTests.absolute, name,
        location: location)
    }
  }

  @Test("ViT-B/32 and ViT-B/16", arguments: [32, 16])
  func agrees(patch: Int) throws {
    let temporary = try TemporaryFolder()
    let folder = temporary.path
    let hasMerges = FileManager.default.fileExists(atPath: Self.mergeTable)
    try PeerPython.run(
      script: "clip_full_size.py",
      arguments: [folder, "\(patch)"] + (hasMerges ? [Self.mergeTable] : []))
    let weights = try CLIPWeights(folder: folder)
    #expect(weights.configuration.gridSize == 224 / patch)
    #expect(weights.configuration.imageSize == 224 && weights.configuration.embeddingWidth == 512)
    let expected = Expected(file: try SafeTensorsFile(path: folder + "/expected.safetensors"))
    try TestDevice.withContext { context in
      let stream = try ComputeStream(context: context)
      func store() -> ParameterStore { ParameterStore(stream: stream, seed: 0) { _ in true } }
      let text = try TextEncoder(weights, store: store())
      try self.text(text, expected)
      if hasMerges { try classes(folder, text, expected) }
      let features = try ImageEncoder(weights, store: store())
        .encode(try expected.tensor("pixels", on: stream))
      try expected.check(features.images, "image_features")
      try expected.check(features.patches, "image_tokens")
    }
  }

  private func text(_ encoder: TextEncoder, _ expected: Expected) throws {
    let flat = try expected.file.tensor(named: "ids").integers().map { Int32($0) }
    let length = encoder.configuration.contextLength
    let ids = stride(from: 0, to: flat.count, by: length).map { Array(flat[$0..<$0 + length]) }
    let layers = encoder.configuration.text.layers
    let both = try encoder.encode(ids: ids, outputs: [.final, .block(layers)])
    try expected.check(both[0], "text_features")
    try expected.check(both[1], "text_last_block")

    // The same sentences as words that a gradient flows to.
    let words = try expected.tensor("words", on: encoder.stream).trained("words")
    var next: Int32 = 0
    let sentences = ids.map { row -> [Int32] in
      let count = Int32((row.firstIndex(of: Int32(encoder.configuration.endTokenID)) ?? 1) - 1)
      defer { next += count }
      return (next..<next + count).map { $0 }
    }
    let features = try encoder.encode(
      words: words, text: PseudoText(sentences: sentences, contextLength: length),
      wantsWords: true)
    try expected.check(features.sentences, "text_features")
    let tokens = try #require(features.words)
    try expected.check(tokens, "text_tokens")
    let stream = encoder.stream
    try features.sentences.multiplied(by: try expected.tensor("grad_text_features", on: stream))
      .sum().adding(
        try tokens.multiplied(by: try expected.tensor("grad_text_tokens", on: stream)).sum()
      ).backward()
    try expected.check(words.gradient, "grad_words")
  }

  /// Tokenizer, templates and both means; the names are the script's.
  private func classes(_ folder: String, _ encoder: TextEncoder, _ expected: Expected) throws {
    let embedder = try ClassEmbedder(folder: folder, encoder: encoder, cache: nil)
    let found = try embedder.embed(
      ["cat", "traffic_light", "umbrella"].map { ClassName($0) },
      features: EmbeddingFeature.allCases)
    for feature in EmbeddingFeature.allCases {
      let name = "classes_\(feature.rawValue)"
      expectClose(
        try #require(found[feature]).values, try expected.floats(name), relative: Self.relative,
        absolute: Self.absolute, name)
    }
  }
}
