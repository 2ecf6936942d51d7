import Checkpoints
import Detection
import Formats
import Layers
import Tensors
import TestSupport
import Testing

/// The text half of the fixtures' tiny CLIP, written out for the tests of the box head (spec clip
/// 3.2): pre-norm blocks with causal attention, read at the end position.
struct TinyTextEncoder: PseudoTextEncoder {
  private let source: any WeightSource
  private let stream: ComputeStream
  private let heads: Int
  /// Blocks to run; all, then final norm and projection, when nil.
  private let depth: Int?
  private let blocks: Int

  init(_ fixture: Fixture, on stream: ComputeStream) throws {
    let folder = "\(Fixture.folder)/\(try #require(fixture.params["weights"]?.string))/hf"
    source = try SafeTensorsFile(path: "\(folder)/model.safetensors")
    self.stream = stream
    let configuration = try JSONValue(contentsOf: "\(folder)/config.json")["text_config"]
    heads = try #require(configuration?["num_attention_heads"]?.integer)
    blocks = try #require(configuration?["num_hidden_layers"]?.integer)
    let wanted = try fixture.integer("block_output")
    depth = wanted == 0 ? nil : wanted
  }

  private func weight(_ name: String) throws -> Tensor {
    let shape = try #require(source.shape(of: name), "\(name)")
    return try Tensor(try source.tensor(named: name).floats(), shape: shape, on: stream)
  }

  func encode(words: Tensor, keep: [[Bool]]?) throws -> Tensor {
    let (rows, count, width) = (words.shape[0], words.shape[1], words.shape[2])
    let tokens = try weight("text_model.embeddings.token_embedding.weight")
    // Rows: all words, then start, end and padding.
    let last = Int32(tokens.shape[0] - 1)
    let table = try Tensor.concatenated(
      [words.reshaped([rows * count, width]), try tokens.gatheredRows([last - 1, last, 0])], axis: 0
    )
    let first = Int32(rows * count)
    let length = count + 2
    var sequence: [Int32] = []
    var ends: [Int32] = []
    for row in 0..<rows {
      let kept = (0..<count).filter { keep?[row][$0] ?? true }.map { Int32(row * count + $0) }
      let own = [first] + kept + [first + 1]
      ends.append(Int32(row * length + own.count - 1))
      sequence += own + [Int32](repeating: first + 2, count: length - own.count)
    }
    let positions = try weight("text_model.embeddings.position_embedding.weight")
      .gatheredRows((0..<rows).flatMap { _ in (0..<Int32(length)) })
    var x = try table.gatheredRows(sequence).adding(positions)
    for index in 0..<(depth ?? blocks) {
      let prefix = "text_model.encoder.layers.\(index)"
      let qkv = try ["q", "k", "v"].map { part in
        try linear(
          try norm(x, "\(prefix).layer_norm1"), "\(prefix).self_attn.\(part)_proj")
      }
      let attended = try Tensor.concatenated(qkv, axis: 1)
        .reshaped([rows, length, 3 * width]).attention(heads: heads, causal: true)
      x = try x.adding(
        try linear(attended.reshaped([rows * length, width]), "\(prefix).self_attn.out_proj"))
      let inner = try linear(try norm(x, "\(prefix).layer_norm2"), "\(prefix).mlp.fc1")
      x = try x.adding(try linear(try inner.quickGELU(), "\(prefix).mlp.fc2"))
    }
    let final = try x.gatheredRows(ends)
    guard depth == nil else { return try final.l2Normalized() }
    return try norm(final, "text_model.final_layer_norm")
      .linear(weight: try weight("text_projection.weight")).l2Normalized()
  }

  private func linear(_ x: Tensor, _ name: String) throws -> Tensor {
    try x.linear(weight: try weight("\(name).weight"), bias: try weight("\(name).bias"))
  }

  private func norm(_ x: Tensor, _ name: String) throws -> Tensor {
    try x.layerNorm(weight: try weight("\(name).weight"), bias: try weight("\(name).bias"))
  }
}
