import Layers
import Settings
import Tensors

/// Which convolution of a stage's first bottleneck has the stride, by whose ResNets have it there.
///
/// Weights trained with one do not work with the other (spec detector 2.1).
package enum BackboneStyle: String, Sendable, CaseIterable {
  /// The second, 3x3.
  case pytorch
  /// The first, 1x1.
  case caffe
}

extension BackboneStyle: SettingsChoice {}

/// Bottlenecks in a row, the first of which may halve the map.
package struct ResidualStage {
  private let blocks: [Bottleneck]

  /// Creates the stage.
  ///
  /// - Parameters:
  ///   - scope: Where the blocks are named by their number.
  ///   - inputs: Input channels.
  ///   - width: Inner width; the output has four times as many channels.
  ///   - blocks: Number of bottlenecks.
  ///   - stride: Stride of the first.
  ///   - style: Which of its convolutions has the stride.
  ///   - norm: How the batch norm layers behave.
  package init(
    _ scope: ParameterScope, inputs: Int, width: Int, blocks: Int, stride: Int,
    style: BackboneStyle, norm: NormMode
  ) throws {
    self.blocks = try (0..<blocks).map { index in
      try Bottleneck(
        scope / "\(index)", inputs: index == 0 ? inputs : width * Bottleneck.expansion,
        width: width, stride: index == 0 ? stride : 1, style: style, norm: norm,
        hasShortcut: index == 0)
    }
  }

  /// Applies the stage.
  ///
  /// - Parameters:
  ///   - x: `[N, H, W, inputs]`.
  ///   - training: Whether trained batch norm layers use the batch's statistics.
  /// - Returns: `[N, H/stride, W/stride, 4·width]`.
  package func callAsFunction(_ x: Tensor, training: Bool) throws -> Tensor {
    try blocks.reduce(x) { try $1($0, training: training) }
  }
}

/// 1x1, 3x3 and 1x1 convolution with batch norm around a shortcut.
struct Bottleneck {
  /// Output channels over inner width.
  static let expansion = 4

  private let convolutions: [Convolution]
  private let norms: [BatchNorm]
  private let shortcut: (convolution: Convolution, norm: BatchNorm)?

  init(
    _ scope: ParameterScope, inputs: Int, width: Int, stride: Int, style: BackboneStyle,
    norm: NormMode, hasShortcut: Bool
  ) throws {
    let outputs = width * Self.expansion
    let shapes = [
      (inputs: inputs, outputs: width, kernel: 1, stride: style == .caffe ? stride : 1),
      (inputs: width, outputs: width, kernel: 3, stride: style == .pytorch ? stride : 1),
      (inputs: width, outputs: outputs, kernel: 1, stride: 1),
    ]
    convolutions = try shapes.enumerated().map { index, shape in
      try Convolution(
        scope / "conv\(index + 1)", inputs: shape.inputs, outputs: shape.outputs,
        kernel: shape.kernel, stride: shape.stride)
    }
    norms = try shapes.enumerated().map { index, shape in
      try BatchNorm(scope / "bn\(index + 1)", channels: shape.outputs, mode: norm)
    }
    guard hasShortcut else {
      shortcut = nil
      return
    }
    let branch = scope / "downsample"
    shortcut = (
      try Convolution(branch / "0", inputs: inputs, outputs: outputs, kernel: 1, stride: stride),
      try BatchNorm(branch / "1", channels: outputs, mode: norm)
    )
  }

  func callAsFunction(_ x: Tensor, training: Bool) throws -> Tensor {
    var carried = x
    if let shortcut {
      carried = try shortcut.norm(after: shortcut.convolution, x, training: training)
    }
    var y = x
    for index in 0..<2 {
      y = try norms[index](after: convolutions[index], y, training: training, relu: true)
    }
    return try norms[2](
      after: convolutions[2], y, training: training, residual: carried, relu: true)
  }
}
