import CLIP
import Checkpoints
import Layers
import OpenCL
import Tensors
import TestSupport
import Testing

/// The folder of the tiny CLIP that a fixture names.
func clipFolder(_ fixture: Fixture) -> String {
  let name = fixture.params["weights"]?.string ?? "clip_tiny"
  return "\(Fixture.folder)/" + (name.hasSuffix("/hf") ? name : name + "/hf")
}

/// The tiny CLIP that a fixture names.
func clipWeights(_ fixture: Fixture) throws -> CLIPWeights {
  try CLIPWeights(folder: clipFolder(fixture))
}

@Suite(
  "CLIP text encoder against the peers",
  .enabled(if: Fixture.available, "the fixture folder is missing: set BARON_FIXTURES"))
struct TextEncoderTests {
  private func withEncoder(
    _ fixture: Fixture, _ body: (TextEncoder, ComputeStream) throws -> Void
  ) throws {
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 0)
      try body(try TextEncoder(try clipWeights(fixture), store: store), stream)
    }
  }

  /// The rows of an integer matrix.
  private func rows(_ fixture: Fixture, _ key: String) throws -> [[Int32]] {
    let (values, shape) = (try fixture.integers(key), try fixture.shape(key))
    return (0..<shape[0]).map { Array(values[$0 * shape[1]..<($0 + 1) * shape[1]]) }
  }

  @Test("token ids: final features, words and every hidden state")
  func tokenIDs() throws {
    let fixture = try Fixture("clip/text_encode_short.safetensors")
    try withEncoder(fixture) { encoder, _ in
      let ids = try rows(fixture, "ids")
      let features = try encoder.encode(ids: ids, wantsWords: true)
      try fixture.expect(features.sentences, equals: "text_embeds")
      // The peer's encoder of ids normalises its words, that of pseudo words does not.
      try fixture.expect(try features.words?.l2Normalized(), equals: "word_tokens")
      let depth = try fixture.integer("stepk")
      try fixture.expect(
        try encoder.encode(ids: ids, output: .block(depth)).sentences, equals: "endk")
      try fixture.expect(try encoder.hiddenStates(ids: ids)[depth], equals: "hidden_k")
    }
    let prompts = try Fixture("clip/prompts.safetensors")
    try withEncoder(prompts) { encoder, _ in
      try prompts.expect(
        try encoder.encode(ids: try rows(prompts, "tokens")).sentences, equals: "y")
    }
  }

  @Test("the Hugging Face model's states and features")
  func huggingFace() throws {
    let fixture = try Fixture("clip/hf_forward.safetensors")
    try withEncoder(fixture) { encoder, _ in
      let ids = try rows(fixture, "input_ids")
      try fixture.expect(try encoder.encode(ids: ids).sentences, equals: "text_embeds")
      let states = try encoder.hiddenStates(ids: ids)
      let shown = try fixture.shape("text_hidden_first")[1]
      try fixture.expect(
        try states[0].sliced(axis: 1, 0..<shown), equals: "text_hidden_first")
      for index in 1..<states.count {
        try fixture.expect(
          try states[index].sliced(axis: 1, 0..<shown), equals: "text_hidden_\(index)")
      }
    }
  }

  @Test(
    "masked pseudo words, one region a sentence", arguments: ["masked", "endk_early", "endk_last"])
  func masked(kind: String) throws {
    let fixture = try Fixture("clip/pseudo_text_\(kind).safetensors")
    try withEncoder(fixture) { encoder, stream in
      let shape = try fixture.shape("words")
      let words = try fixture.tensor("words", on: stream, channelsLast: false).trained("words")
      let flags = try fixture.has("word_mask") ? fixture.floats("word_mask") : []
      let keep = (0..<shape[0]).map { region in
        (0..<shape[1]).map { flags[region * shape[1] + $0] > 0.5 }
      }
      let text = PseudoText(keep: keep, contextLength: encoder.configuration.contextLength)
      #expect(text.ends.map(Int32.init) == (try fixture.integers("end_ids")))
      let flat = words.reshaped([shape[0] * shape[1], shape[2]])
      if fixture.has("sequence") {
        try fixture.expect(try encoder.packed(words: flat, text: text), equals: "sequence")
      }
      let output: TextEncoder.Output =
        fixture.params["stepk"] == nil ? .final : .block(try fixture.integer("stepk"))
      let result = try encoder.encode(words: flat, text: text, output: output).sentences
      try fixture.expect(result, equals: "y")
      try result.backward(from: try fixture.tensor("grad_y", on: stream))
      try fixture.expect(words.gradient, equals: "grad_words")
    }
  }

  @Test("several regions a sentence, also longer than the context", arguments: ["ragged", "cut"])
  func ragged(kind: String) throws {
    let fixture = try Fixture("clip/pseudo_text_\(kind).safetensors")
    try withEncoder(fixture) { encoder, stream in
      var next: Int32 = 0
      let sentences = try fixture.integers("lengths").map { length -> [Int32] in
        defer { next += length }
        return (next..<next + length).map { $0 }
      }
      let text = PseudoText(
        sentences: sentences, contextLength: try fixture.integer("context_length"))
      #expect(text.ends.map(Int32.init) == (try fixture.integers("end_ids")))
      for alone in [false, true] {
        let words = try fixture.tensor("words", on: stream).trained("words")
        let result = try encoder.encode(words: words, text: text, wantsWords: !alone)
        try fixture.expect(result.sentences, equals: "y")
        let gradient = try fixture.tensor("grad_y", on: stream)
        if alone {
          try result.sentences.backward(from: gradient)
          try fixture.expect(words.gradient, equals: "grad_words_from_y")
        } else {
          let tokens = try #require(result.words)
          try fixture.expect(tokens, equals: "word_tokens")
          let both = try result.sentences.multiplied(by: gradient).sum().adding(
            try tokens.multiplied(by: try fixture.tensor("grad_word_tokens", on: stream)).sum())
          try both.backward()
          try fixture.expect(words.gradient, equals: "grad_words")
        }
      }
    }
  }
}
