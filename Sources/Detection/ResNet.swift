import Layers
import Tensors

/// The shape of a bottleneck ResNet; the defaults are those of ResNet-50 (spec detector 2.2).
public struct ResNetConfiguration: Sendable, Equatable {
  /// Channels after the stem.
  public var stemWidth = 64
  /// Inner width of each stage's bottlenecks; a stage gives four times as many channels.
  public var stageWidths = [64, 128, 256, 512]
  /// Bottlenecks of each stage.
  public var blocks = [3, 4, 6, 3]
  /// Which convolution of a stage's first bottleneck has the stride.
  public var stridePlace = StridePlace.middle
  /// The stages that maps are taken from, counted from 1, rising.
  public var outputStages = [1, 2, 3, 4]
  /// How the batch norm layers behave.
  public var norm = NormMode.batch
  /// How many parts never change: 0 none, 1 the stem, 2 the stem and stage 1, and so on.
  public var frozenParts = 0

  /// Creates the configuration of ResNet-50.
  public init() {}

  /// Channels of each output map.
  public var outputWidths: [Int] {
    outputStages.map { stageWidths[$0 - 1] * Bottleneck.expansion }
  }

  /// Stride of each output map in image pixels.
  public var outputStrides: [Int] { outputStages.map { 2 << $0 } }
}

/// A bottleneck ResNet that gives the maps of several stages.
public struct ResNet {
  private let stem: Convolution
  private let stemNorm: BatchNorm
  private let stages: [ResidualStage]
  private let outputStages: [Int]

  /// Creates the network.
  ///
  /// - Parameters:
  ///   - scope: Where `conv1`, `bn1` and `layer1` onwards are named.
  ///   - configuration: Its shape.
  /// - Throws: `OpenCLError` when memory runs out.
  public init(_ scope: ParameterScope, _ configuration: ResNetConfiguration) throws {
    precondition(
      configuration.stageWidths.count == configuration.blocks.count,
      "a ResNet needs as many block counts as stage widths")
    let depth = configuration.outputStages.max() ?? 0
    precondition(
      depth <= configuration.blocks.count && configuration.outputStages.allSatisfy { $0 > 0 },
      "output stages \(configuration.outputStages) of \(configuration.blocks.count) stages")
    func norm(_ part: Int) -> NormMode {
      part < configuration.frozenParts ? .frozen : configuration.norm
    }
    let frozenStem = scope.frozen(configuration.frozenParts > 0)
    stem = try Convolution(
      frozenStem / "conv1", inputs: 3, outputs: configuration.stemWidth, kernel: 7, stride: 2)
    stemNorm = try BatchNorm(
      frozenStem / "bn1", channels: configuration.stemWidth, mode: norm(0))
    var inputs = configuration.stemWidth
    var stages: [ResidualStage] = []
    for stage in 0..<depth {
      let width = configuration.stageWidths[stage]
      stages.append(
        try ResidualStage(
          scope.frozen(configuration.frozenParts > stage + 1) / "layer\(stage + 1)",
          inputs: inputs, width: width, blocks: configuration.blocks[stage],
          stride: stage == 0 ? 1 : 2, stridePlace: configuration.stridePlace,
          norm: norm(stage + 1)))
      inputs = width * Bottleneck.expansion
    }
    self.stages = stages
    outputStages = configuration.outputStages
  }

  /// The maps of the output stages, finest first.
  ///
  /// - Parameters:
  ///   - images: `[N, H, W, 3]`, normalised.
  ///   - training: Whether trained batch norm layers use the batch's statistics.
  /// - Returns: One `[N, H/s, W/s, C]` per output stage.
  /// - Throws: `OpenCLError` when the device fails.
  public func callAsFunction(_ images: Tensor, training: Bool) throws -> [Tensor] {
    var x = try stemNorm(try stem(images.asActivation()), training: training, relu: true)
      .maxPool(kernel: 3, stride: 2, padding: 1)
    var maps: [Tensor] = []
    for (index, stage) in stages.enumerated() {
      x = try stage(x, training: training)
      if outputStages.contains(index + 1) { maps.append(x) }
    }
    return maps
  }
}
