import Checkpoints
import Detection
import ONNX

/// The text encoder on pseudo words, as `RegionTextEncoder` and `TextEncoder` have it.
struct TextGraph {
  let configuration: CLIPConfiguration
  let feature: ClassFeature
  let weights: GraphWeights

  /// What stands in for minus infinity before a softmax.
  private static let excluded = -1e30

  /// Encodes each region's words as a sentence: start, words, end.
  ///
  /// - Parameters:
  ///   - words: `[R, K, D]`.
  ///   - count: Words of a region K.
  /// - Returns: `[R, D']`, unit rows.
  func encode(words: GraphValue, count: Int) throws -> GraphValue {
    let graph = words.graph
    let used = min(count, configuration.contextLength - 2)
    let length = used + 2
    let fitting = used == count ? words : words.sliced(1, 0..<used)
    let sentences =
      fitting.padded(graph.list([0, 1, 0, 0, 1, 0])) + (try frame(length: length))
    var rows = sentences.reshaped([-1, configuration.text.width])
    for block in 0..<configuration.text.layers {
      rows = try graph.scoped("block\(block)") {
        try self.block(
          rows, "transformer.resblocks.\(block)", length: length,
          isLast: block == configuration.text.layers - 1)
      }
    }
    return Self.unit(feature == .final ? try projected(rows) : rows)
  }

  /// What is added to the words `[1, L, D]`: positions, and the tokens of start and end.
  private func frame(length: Int) throws -> GraphValue {
    let width = configuration.text.width
    let tokens = try weights.textHost("token_embedding.weight").floats()
    var rows = Array(try weights.textHost("positional_embedding").floats().prefix(length * width))
    for (position, token) in [
      (0, configuration.startTokenID), (length - 1, configuration.endTokenID),
    ] {
      for column in 0..<width { rows[position * width + column] += tokens[token * width + column] }
    }
    return try weights.derived("text/frame", HostTensor(shape: [1, length, width], floats: rows))
  }

  /// A residual attention block on `[R·L, D]`; of the last one only the ends `[R, D]`.
  private func block(
    _ x: GraphValue, _ name: String, length: Int, isLast: Bool
  ) throws -> GraphValue {
    let width = configuration.text.width
    let hidden = try normalised(x, "\(name).ln_1")
    func part(_ x: GraphValue, _ range: Range<Int>) throws -> GraphValue {
      x.linear(
        try weights.text("\(name).attn.in_proj_weight", rows: range),
        bias: try weights.text("\(name).attn.in_proj_bias", rows: range))
    }
    let carried = isLast ? ends(x, length) : x
    let queries = try part(isLast ? ends(hidden, length) : hidden, 0..<width)
    let both = try part(hidden, width..<3 * width)
    let mixed = attended(queries, both, length: length, queryLength: isLast ? 1 : length)
    let y = carried + (try linear(mixed, "\(name).attn.out_proj"))
    let widened = try linear(try normalised(y, "\(name).ln_2"), "\(name).mlp.c_fc")
    return y + (try linear(activated(widened), "\(name).mlp.c_proj"))
  }

  /// Multi-head causal attention; queries `[R·Q, D]`, keys and values `[R·L, 2·D]` side by side.
  private func attended(
    _ queries: GraphValue, _ both: GraphValue, length: Int, queryLength: Int
  ) -> GraphValue {
    let graph = queries.graph
    let (width, heads) = (configuration.text.width, configuration.text.heads)
    let size = width / heads
    let query = queries.reshaped([-1, queryLength, heads, size]).transposed([0, 2, 1, 3])
    let split = both.reshaped([-1, length, 2, heads, size])
    let keys = split.at(0, axis: 2).transposed([0, 2, 3, 1])
    let values = split.at(1, axis: 2).transposed([0, 2, 1, 3])
    var scores = query.product(keys) * Double(1 / Float(size).squareRoot())
    if queryLength > 1 {
      let mask = (0..<length).flatMap { row in
        (0..<length).map { $0 > row ? Self.excluded : 0 }
      }
      scores = scores + graph.constant(mask, .float, shape: [length, length])
    }
    return scores.softmax.product(values).transposed([0, 2, 1, 3]).reshaped([-1, width])
  }

  private func activated(_ x: GraphValue) -> GraphValue {
    switch configuration.text.activation {
    case .quickGELU: x * (x * 1.702).mapped("Sigmoid")
    case .gelu: x * 0.5 * ((x / 2.0.squareRoot()).mapped("Erf") + 1)
    }
  }

  /// The last row of each sentence, `[R, D]` of `[R·L, D]`.
  private func ends(_ x: GraphValue, _ length: Int) -> GraphValue {
    x.reshaped([-1, length, configuration.text.width]).at(length - 1, axis: 1)
  }

  private func linear(_ x: GraphValue, _ name: String) throws -> GraphValue {
    x.linear(try weights.text("\(name).weight"), bias: try weights.text("\(name).bias"))
  }

  private func normalised(_ x: GraphValue, _ name: String) throws -> GraphValue {
    x.graph.node(
      "LayerNormalization",
      [x, try weights.text("\(name).weight"), try weights.text("\(name).bias")], x.type,
      [
        "axis": .integer(-1), "epsilon": .float(Float(configuration.text.layerNormEpsilon)),
      ])
  }

  private func projected(_ x: GraphValue) throws -> GraphValue {
    try normalised(x, "ln_final").product(try weights.text("text_projection"))
  }

  /// Rows brought to unit length; a zero row stays zero.
  private static func unit(_ rows: GraphValue) -> GraphValue {
    let length = rows.graph.node(
      "ReduceL2", [rows], rows.type, ["axes": .integers([-1]), "keepdims": .integer(1)])
    return rows / length.maximum(length.number(1e-12))
  }
}
