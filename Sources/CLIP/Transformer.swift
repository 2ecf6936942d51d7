import Checkpoints
import Layers
import Tensors

/// One residual attention block of CLIP, pre-norm (spec clip 3.1, 3.3).
struct TransformerBlock {
  private let firstNorm: LayerNorm
  private let inputWeight: Parameter
  private let inputBias: Parameter
  private let output: Linear
  private let secondNorm: LayerNorm
  private let widening: Linear
  private let narrowing: Linear
  private let heads: Int
  private let width: Int
  private let activation: Activation

  init(_ scope: ParameterScope, tower: CLIPConfiguration.Tower) throws {
    let epsilon = Float(tower.layerNormEpsilon)
    width = tower.width
    heads = tower.heads
    activation = tower.activation == .gelu ? .gelu : .quickGELU
    firstNorm = try LayerNorm(scope / "ln_1", width: width, epsilon: epsilon)
    // Start values of the released CLIP: what is added to the residual shrinks with the depth.
    let usual = Initializer.normal(standardDeviation: 1 / Float(width).squareRoot())
    let added = Initializer.normal(
      standardDeviation: 1 / Float(2 * width * tower.layers).squareRoot())
    let attention = scope / "attn"
    inputWeight = try attention.parameter("in_proj_weight", [3 * width, width], usual)
    inputBias = try attention.parameter("in_proj_bias", [3 * width], .zeros)
    output = try Linear(attention / "out_proj", inputs: width, outputs: width, initializer: added)
    secondNorm = try LayerNorm(scope / "ln_2", width: width, epsilon: epsilon)
    let mlp = scope / "mlp"
    widening = try Linear(
      mlp / "c_fc", inputs: width, outputs: tower.mlpWidth,
      initializer: .normal(standardDeviation: 1 / Float(2 * width).squareRoot()))
    narrowing = try Linear(
      mlp / "c_proj", inputs: tower.mlpWidth, outputs: width, initializer: added)
  }

  /// `[S, L, W]` to the same shape.
  func callAsFunction(_ x: Tensor, causal: Bool, mask: Tensor?) throws -> Tensor {
    let mixed = try firstNorm(x).linear(
      weight: inputWeight.value(as: x.elementType), bias: inputBias.value
    )
    .attention(heads: heads, causal: causal, mask: mask)
    return try withMLP(try output(mixed, then: .addedTo(x)))
  }

  /// `[R, W]` of a tree's rows to the same shape, or to `[S, W]` of the sentences' ends alone.
  func callAsFunction(_ x: Tensor, _ tree: SentenceTree.Lists, endsAlone: Bool) throws -> Tensor {
    let fused = try firstNorm(x).linear(
      weight: inputWeight.value(as: x.elementType), bias: inputBias.value)
    let mixed = try fused.gatheredRows(tree.rows).reshaped([tree.count, tree.length, 3 * width])
      .attention(heads: heads, causal: true).reshaped([tree.count * tree.length, width])
      .gatheredRows(endsAlone ? tree.endPlaces : tree.places)
    let carried = endsAlone ? try x.gatheredRows(tree.ends) : x
    return try withMLP(try output(mixed, then: .addedTo(carried)))
  }

  private func withMLP(_ x: Tensor) throws -> Tensor {
    let active = try widening(try secondNorm(x), then: .activated(activation))
    return try narrowing(active, then: .addedTo(x))
  }

  /// What each token would be if attention let every position keep its own value, on top of the
  /// residual of a reference position (spec clip 3.3).
  ///
  /// `x` is `[S, L, W]`, the block's input; `positions` and `references` are rows of `[S·L, W]`.
  /// Gives `[positions.count, W]`.
  func tokenVariant(_ x: Tensor, positions: [Int32], references: [Int32]) throws -> Tensor {
    let rows = x.reshaped([x.shape[0] * x.shape[1], width])
    let values = try firstNorm(try rows.gatheredRows(positions)).linear(
      weight: try inputWeight.value(as: x.elementType).sliced(axis: 0, 2 * width..<3 * width),
      bias: try inputBias.value.sliced(axis: 0, 2 * width..<3 * width))
    return try withMLP(
      try output(values, then: .addedTo(try rows.gatheredRows(references))))
  }
}

/// The stack of blocks of one tower.
struct Transformer {
  let blocks: [TransformerBlock]

  init(_ scope: ParameterScope, tower: CLIPConfiguration.Tower) throws {
    blocks = try (0..<tower.layers).map {
      try TransformerBlock(scope / "transformer" / "resblocks" / "\($0)", tower: tower)
    }
  }

  /// The input of block `count`, and last its output; of no block the input alone.
  func states(
    _ x: Tensor, through count: Int, causal: Bool, mask: Tensor? = nil
  ) throws -> [Tensor] {
    var states = [x]
    for block in blocks.prefix(count) {
      states.append(try block(states[states.count - 1], causal: causal, mask: mask))
      if states.count > 2 { states.removeFirst() }
    }
    return states
  }

  /// The states of the sentences' ends after some of the blocks, 0 for the input.
  ///
  /// - Parameters:
  ///   - x: `[R, W]`, the input of a tree's rows.
  ///   - tree: The tree.
  ///   - depths: After how many blocks, at least one number.
  /// - Returns: `[S, W]` for each of `depths`.
  func ends(
    _ x: Tensor, of tree: SentenceTree.Lists, at depths: [Int]
  ) throws -> [Tensor] {
    let deepest = depths.max() ?? 0
    var x = x
    var ends: [Int: Tensor] = [:]
    for (depth, block) in blocks.prefix(deepest).enumerated() {
      if depths.contains(depth) { ends[depth] = try x.gatheredRows(tree.ends) }
      x = try block(x, tree, endsAlone: depth + 1 == deepest)
    }
    ends[deepest] = deepest == 0 ? try x.gatheredRows(tree.ends) : x
    return depths.compactMap { ends[$0] }
  }
}
