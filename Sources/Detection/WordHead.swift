import Layers
import Tensors

/// A trunk and the projection of its output to pseudo words (spec method 1.2, detector 2.7).
///
/// The trunk of kind `fpn` is 3x3 convolutions with batch norm, or a bias without norm, and ReLU,
/// then a linear layer with ReLU; that of kind `c4` the mean over the map.
package struct WordHead {
  private let convolutions: [(convolution: Convolution, norm: BatchNorm?)]
  private let hidden: Linear?
  private let projection: Linear
  private let words: Int
  /// Length of the trunk's output vector.
  package let featureWidth: Int

  /// Creates the head.
  ///
  /// - Parameters:
  ///   - scope: Where `shared_convs`, `shared_fcs` and `fc_cls` are named.
  ///   - configuration: The box head's shape.
  ///   - widths: What arrives and what the words are for.
  ///   - initializer: How the projection starts; nil takes PyTorch's default.
  init(
    _ scope: ParameterScope, _ configuration: BoxHeadConfiguration, _ widths: BoxHeadWidths,
    initializer: Initializer?
  ) throws {
    words = configuration.words
    switch configuration.kind {
    case .c4:
      (convolutions, hidden, featureWidth) = ([], nil, widths.input)
    case .fpn:
      let (count, norm) = (configuration.convolutions, configuration.norm)
      let (width, outputs) = (widths.convolutions, configuration.fcWidth)
      convolutions = try (0..<count).map { index in
        let place = scope / "shared_convs" / "\(index)"
        return (
          try Convolution(
            place / "conv", inputs: index == 0 ? widths.input : width, outputs: width,
            kernel: 3, hasBias: norm == nil),
          try norm.map { try BatchNorm(place / "bn", channels: width, mode: $0) }
        )
      }
      let side = widths.side
      let flat = (count == 0 ? widths.input : width) * side * side
      hidden = try Linear(
        scope / "shared_fcs" / "0", inputs: flat, outputs: outputs,
        initializer: .xavierUniform(inputs: flat, outputs: outputs),
        layout: .flattened(channels: flat / (side * side), height: side, width: side))
      featureWidth = outputs
    }
    projection = try Linear(
      scope / "fc_cls", inputs: featureWidth, outputs: words * widths.text.word,
      initializer: initializer)
  }

  /// The trunk.
  ///
  /// - Parameters:
  ///   - regions: Pooled features `[R, h, w, C]`.
  ///   - training: Whether trained batch norm layers use the regions' statistics.
  /// - Returns: `[R, featureWidth]`.
  package func features(_ regions: Tensor, training: Bool) throws -> Tensor {
    guard let hidden else { return try regions.globalAveragePool() }
    var x = regions
    for (convolution, norm) in convolutions {
      x =
        try norm?(after: convolution, x, training: training, relu: true)
        ?? convolution(x, then: .relu)
    }
    let rows = x.shape[0]
    let flat = x.shape[1...].reduce(1, *)
    return try hidden(x.reshaped([rows, flat]), then: .activated(.relu))
  }

  /// Whether other devices wait for its norms in training, so that it has to run on no regions as well.
  var isShared: Bool { convolutions.contains { $0.norm?.isShared == true } }

  /// The pseudo words.
  ///
  /// - Parameter features: The trunk's output `[R, featureWidth]`.
  /// - Returns: `[R, K, D]`.
  package func words(_ features: Tensor) throws -> Tensor {
    let flat = try projection(features).converted(to: .float32)
    return flat.reshaped([flat.shape[0], words, flat.shape[1] / words])
  }
}
