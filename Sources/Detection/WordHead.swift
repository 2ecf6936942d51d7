import Layers
import Tensors

/// How pooled region features become one feature vector (spec detector 2.7).
public enum BoxTrunk: Sendable, Equatable {
  /// 3x3 convolutions with batch norm (or a bias where `norm` is nil) and ReLU, then a linear
  /// layer with ReLU.
  case convolutions(count: Int, width: Int, hidden: Int, norm: NormMode?)
  /// The mean over the map.
  case averagePool

  /// The published one for a feature pyramid: four convolutions of 256, then 1024.
  public static func published(norm: NormMode) -> BoxTrunk {
    .convolutions(count: 4, width: 256, hidden: 1024, norm: norm)
  }
}

/// A trunk and the projection of its output to pseudo words (spec method 1.2).
public struct WordHead {
  private let convolutions: [(convolution: Convolution, norm: BatchNorm?)]
  private let hidden: Linear?
  private let projection: Linear
  private let words: Int
  /// Length of the trunk's output vector.
  public let featureWidth: Int

  /// Creates the head.
  ///
  /// - Parameters:
  ///   - scope: Where `shared_convs`, `shared_fcs` and `fc_cls` are named.
  ///   - configuration: The box head's shape.
  ///   - initializer: How the projection starts; nil takes PyTorch's default.
  /// - Throws: `OpenCLError` when memory runs out.
  init(
    _ scope: ParameterScope, _ configuration: BoxHeadConfiguration, initializer: Initializer?
  ) throws {
    words = configuration.words
    switch configuration.trunk {
    case .averagePool:
      (convolutions, hidden, featureWidth) = ([], nil, configuration.inputWidth)
    case .convolutions(let count, let width, let outputs, let norm):
      convolutions = try (0..<count).map { index in
        let place = scope / "shared_convs" / "\(index)"
        return (
          try Convolution(
            place / "conv", inputs: index == 0 ? configuration.inputWidth : width, outputs: width,
            kernel: 3, hasBias: norm == nil),
          try norm.map { try BatchNorm(place / "bn", channels: width, mode: $0) }
        )
      }
      let side = configuration.inputSize
      let flat = (count == 0 ? configuration.inputWidth : width) * side * side
      hidden = try Linear(
        scope / "shared_fcs" / "0", inputs: flat, outputs: outputs,
        initializer: .xavierUniform(inputs: flat, outputs: outputs),
        layout: .flattened(channels: flat / (side * side), height: side, width: side))
      featureWidth = outputs
    }
    projection = try Linear(
      scope / "fc_cls", inputs: featureWidth, outputs: words * configuration.wordWidth,
      initializer: initializer)
  }

  /// The trunk.
  ///
  /// - Parameters:
  ///   - regions: Pooled features `[R, h, w, C]`.
  ///   - training: Whether trained batch norm layers use the regions' statistics.
  /// - Returns: `[R, featureWidth]`.
  /// - Throws: `OpenCLError` when the device fails.
  public func features(_ regions: Tensor, training: Bool) throws -> Tensor {
    guard let hidden else { return try regions.globalAveragePool() }
    var x = regions
    for (convolution, norm) in convolutions {
      x = try convolution(x)
      x = try norm?(x, training: training, relu: true) ?? x.relu()
    }
    let rows = x.shape[0]
    let flat = x.shape[1...].reduce(1, *)
    return try hidden(x.reshaped([rows, flat])).relu()
  }

  /// The pseudo words.
  ///
  /// - Parameter features: The trunk's output `[R, featureWidth]`.
  /// - Returns: `[R, K, D]`.
  /// - Throws: `OpenCLError` when the device fails.
  public func words(_ features: Tensor) throws -> Tensor {
    let flat = try projection(features).converted(to: .float32)
    return flat.reshaped([flat.shape[0], words, flat.shape[1] / words])
  }
}
