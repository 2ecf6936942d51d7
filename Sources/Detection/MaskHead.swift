import Layers
import Settings
import Tensors

/// Everything about the mask head, class-agnostic (spec detector 2.8): the section `mask`; the
/// defaults are those of OV-LVIS, switched off.
package struct MaskHeadConfiguration: Sendable, Equatable {
  /// Whether there is one; training annotations then need segmentations.
  package var enabled = false
  /// 3x3 convolutions before the upsampling.
  package var convolutions = 4
  /// Channels of these convolutions.
  package var channels = 256
  /// How batch norm after the convolutions behaves; nil for biases without norm.
  package var norm: NormMode? = .batch
  /// How regions are pooled; no key.
  package var pooling = RegionPooling(strides: [4, 8, 16, 32], size: 14)

  /// Cells per row and column of a mask.
  package var side: Int { 2 * pooling.size }

  /// Creates the published mask head, switched off.
  package init() {}
}

extension MaskHeadConfiguration: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("enabled", &enabled)
    try keys.field("convolutions", &convolutions, .whole(0...32))
    try keys.field("channels", &channels, .whole(1...4096))
    try keys.field("norm", &norm)
  }
}

/// The mask of each region, one for all classes (spec detector 2.8).
package struct MaskHead {
  /// What the head is built from.
  package let configuration: MaskHeadConfiguration
  private let convolutions: [(convolution: Convolution, norm: BatchNorm?)]
  private let upsampling: TransposedConvolution
  private let logits: Convolution

  /// Creates the head.
  ///
  /// - Parameters:
  ///   - scope: Where `convs`, `upsample` and `conv_logits` are named.
  ///   - configuration: Its shape.
  ///   - inputWidth: Channels of the pooled features that arrive.
  package init(
    _ scope: ParameterScope, _ configuration: MaskHeadConfiguration, inputWidth: Int
  ) throws {
    self.configuration = configuration
    let width = configuration.channels
    convolutions = try (0..<configuration.convolutions).map { index in
      let place = scope / "convs" / "\(index)"
      return (
        try Convolution(
          place / "conv", inputs: index == 0 ? inputWidth : width, outputs: width,
          kernel: 3, hasBias: configuration.norm == nil),
        try configuration.norm.map { try BatchNorm(place / "bn", channels: width, mode: $0) }
      )
    }
    let inputs = configuration.convolutions == 0 ? inputWidth : width
    upsampling = try TransposedConvolution(
      scope / "upsample", inputs: inputs, outputs: width, kernel: 2)
    logits = try Convolution(
      scope / "conv_logits", inputs: width, outputs: 1, kernel: 1, hasBias: true,
      initializer: .kaimingNormal(fan: 1))
  }

  /// Whether other devices wait for its norms in training, so that it has to run on no regions as well.
  var isShared: Bool { convolutions.contains { $0.norm?.isShared == true } }

  /// Mask logits.
  ///
  /// - Parameters:
  ///   - regions: Pooled features `[R, S, S, C]`.
  ///   - training: Whether trained batch norm layers use the regions' statistics.
  /// - Returns: `[R, S, S, 2, 2]`: of each pooled cell the four cells of the mask that it becomes, row
  ///   by row; see ``rowByRow(_:)``.
  package func callAsFunction(_ regions: Tensor, training: Bool) throws -> Tensor {
    var x = regions
    for (convolution, norm) in convolutions {
      x =
        try norm?(after: convolution, x, training: training, relu: true)
        ?? convolution(x, then: .relu)
    }
    // What follows looks at single cells, so their order may stay that of the product.
    let cells = try upsampling.cells(x).relu()
    let (count, side, width) = (x.shape[0], x.shape[1], configuration.channels)
    return try logits(cells.reshaped([count, side, 4 * side, width]))
      .reshaped([count, side, side, 2, 2]).converted(to: .float32)
  }

  /// Puts values that stand as the logits do in the order of rows.
  ///
  /// - Parameter values: `[R, S, S, 2, 2]`.
  /// - Returns: `[R, 2S, 2S]`.
  package func rowByRow(_ values: [Float]) -> [Float] {
    var result = values
    for (index, place) in places(values.count).enumerated() { result[place] = values[index] }
    return result
  }

  /// Puts values that stand in rows in the order of the logits.
  ///
  /// - Parameter values: `[R, 2S, 2S]`.
  /// - Returns: `[R, S, S, 2, 2]`.
  package func cellByCell(_ values: [Float]) -> [Float] {
    places(values.count).map { values[$0] }
  }

  /// For each value in the order of the logits its place in rows.
  private func places(_ count: Int) -> [Int] {
    let (half, side) = (configuration.pooling.size, configuration.side)
    precondition(count.isMultiple(of: side * side), "\(count) values are no masks of \(side) cells")
    return (0..<count).map { index in
      let (mask, cell) = index.quotientAndRemainder(dividingBy: side * side)
      let (pooled, corner) = cell.quotientAndRemainder(dividingBy: 4)
      let (y, x) = (2 * (pooled / half) + corner / 2, 2 * (pooled % half) + corner % 2)
      return mask * side * side + y * side + x
    }
  }
}
