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
  private let activation: CLIPConfiguration.Activation

  init(_ scope: ParameterScope, tower: CLIPConfiguration.Tower) throws {
    let epsilon = Float(tower.layerNormEpsilon)
    width = tower.width
    heads = tower.heads
    activation = tower.activation
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
    return try withMLP(try x.adding(try output(mixed)))
  }

  private func withMLP(_ x: Tensor) throws -> Tensor {
    let widened = try widening(try secondNorm(x))
    let active = try activation == .gelu ? widened.gelu() : widened.quickGELU()
    return try x.adding(try narrowing(active))
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
    return try withMLP(try rows.gatheredRows(references).adding(try output(values)))
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

  /// The input of each block up to `count`, and last the output of block `count`: only the last two
  /// are kept unless `keepsAll`.
  func states(
    _ x: Tensor, through count: Int, causal: Bool, mask: Tensor? = nil, keepsAll: Bool = false
  ) throws -> [Tensor] {
    var states = [x]
    for block in blocks.prefix(count) {
      states.append(try block(states[states.count - 1], causal: causal, mask: mask))
      if !keepsAll, states.count > 2 { states.removeFirst() }
    }
    return states
  }
}
