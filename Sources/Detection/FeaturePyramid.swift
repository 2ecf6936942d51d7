import Layers
import Tensors

/// A feature pyramid network (spec detector 2.2).
///
/// 1x1 laterals, a nearest-neighbour top-down path, 3x3 outputs without activation and one coarser
/// level that takes every second pixel of the last. With batch norm the convolutions have no bias.
package struct FeaturePyramid {
  /// A convolution, then batch norm if there is any.
  private struct Block {
    let convolution: Convolution
    let norm: BatchNorm?

    init(
      _ scope: ParameterScope, inputs: Int, outputs: Int, kernel: Int, norm: NormMode?
    ) throws {
      let area = kernel * kernel
      convolution = try Convolution(
        scope / "conv", inputs: inputs, outputs: outputs, kernel: kernel, hasBias: norm == nil,
        initializer: .xavierUniform(inputs: inputs * area, outputs: outputs * area))
      self.norm = try norm.map {
        try BatchNorm(scope / "bn", channels: outputs, mode: $0)
      }
    }

    func callAsFunction(_ x: Tensor, training: Bool) throws -> Tensor {
      try norm?(after: convolution, x, training: training) ?? convolution(x)
    }
  }

  private let laterals: [Block]
  private let outputs: [Block]

  /// Creates the pyramid.
  ///
  /// - Parameters:
  ///   - scope: Where `lateral_convs` and `fpn_convs` are named.
  ///   - inputs: Channels of each backbone map, finest first.
  ///   - width: Channels of every level.
  ///   - norm: How batch norm after each convolution behaves; nil for biases without norm.
  package init(_ scope: ParameterScope, inputs: [Int], width: Int, norm: NormMode?) throws {
    precondition(!inputs.isEmpty, "a feature pyramid needs at least one map")
    laterals = try inputs.enumerated().map { index, channels in
      try Block(
        scope / "lateral_convs" / "\(index)", inputs: channels, outputs: width, kernel: 1,
        norm: norm)
    }
    outputs = try inputs.indices.map { index in
      try Block(
        scope / "fpn_convs" / "\(index)", inputs: width, outputs: width, kernel: 3, norm: norm)
    }
  }

  /// The pyramid's levels, finest first, one more than there are maps.
  ///
  /// - Parameters:
  ///   - maps: The backbone's maps, finest first.
  ///   - training: Whether trained batch norm layers use the batch's statistics.
  /// - Returns: One `[N, H, W, width]` per map, then the last one at half its size.
  package func callAsFunction(_ maps: [Tensor], training: Bool) throws -> [Tensor] {
    precondition(
      maps.count == laterals.count, "\(maps.count) maps for \(laterals.count) laterals")
    var levels = try zip(laterals, maps).map { try $0($1, training: training) }
    for index in levels.indices.dropLast().reversed() {
      levels[index] = try levels[index].addingUpsampled(levels[index + 1])
    }
    var results = try zip(outputs, levels).map { try $0($1, training: training) }
    if let coarsest = results.last {
      results.append(try coarsest.maxPool(kernel: 1, stride: 2, padding: 0))
    }
    return results
  }
}
