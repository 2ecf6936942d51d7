import Layers
import Settings
import Tensors

/// The shape of a bottleneck ResNet; the defaults are those of ResNet-50 (spec detector 2.2): the
/// section `backbone`.
package struct ResNetConfiguration: Sendable, Equatable {
  /// Channels after the first convolution.
  package var stemWidth = 64
  /// Inner width of the bottlenecks of each stage; a stage gives four times as many channels.
  package var stageWidths = [64, 128, 256, 512]
  /// Bottlenecks of each stage.
  package var blocks = [3, 4, 6, 3]
  /// Which convolution of a stage's first bottleneck has the stride.
  package var style = BackboneStyle.pytorch
  /// How batch normalisation behaves.
  ///
  /// Statistics of two images are noisy: with few images a batch and good start weights, `frozen`
  /// is the safer choice; from random weights only `batch` learns.
  package var norm = NormMode.batch
  /// How many parts never change: 0 none, 1 the stem, 2 the stem and stage 1, and so on.
  package var frozenStages = 0

  /// Creates the configuration of ResNet-50.
  package init() {}

  /// Channels of the map that a stage gives, counted from 1.
  package func width(of stage: Int) -> Int { stageWidths[stage - 1] * Bottleneck.expansion }
}

extension ResNetConfiguration: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("stem_width", &stemWidth, .whole(1...4096))
    try keys.field("stage_widths", &stageWidths, .list(of: 4, .whole(1...4096)))
    try keys.field("blocks", &blocks, .list(of: 4, .whole(1...100)))
    try keys.field("style", &style)
    try keys.field("norm", &norm)
    try keys.field("frozen_stages", &frozenStages, .whole(0...5))
  }
}

/// A bottleneck ResNet that gives the maps of several stages.
package struct ResNet {
  private let stem: Convolution
  private let stemNorm: BatchNorm
  private let stages: [ResidualStage]
  private let outputStages: [Int]

  /// Creates the network.
  ///
  /// - Parameters:
  ///   - scope: Where `conv1`, `bn1` and `layer1` onwards are named.
  ///   - configuration: Its shape.
  ///   - outputStages: The stages that maps are taken from, counted from 1, rising.
  package init(
    _ scope: ParameterScope, _ configuration: ResNetConfiguration, outputStages: [Int]
  ) throws {
    precondition(
      configuration.stageWidths.count == configuration.blocks.count,
      "a ResNet needs as many block counts as stage widths")
    let depth = outputStages.max() ?? 0
    precondition(
      depth <= configuration.blocks.count && outputStages.allSatisfy { $0 > 0 },
      "output stages \(outputStages) of \(configuration.blocks.count) stages")
    func norm(_ part: Int) -> NormMode {
      part < configuration.frozenStages ? .frozen : configuration.norm
    }
    let frozenStem = scope.frozen(configuration.frozenStages > 0)
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
          scope.frozen(configuration.frozenStages > stage + 1) / "layer\(stage + 1)",
          inputs: inputs, width: width, blocks: configuration.blocks[stage],
          stride: stage == 0 ? 1 : 2, style: configuration.style,
          norm: norm(stage + 1)))
      inputs = width * Bottleneck.expansion
    }
    self.stages = stages
    self.outputStages = outputStages
  }

  /// The maps of the output stages, finest first.
  ///
  /// - Parameters:
  ///   - images: `[N, H, W, 3]`, normalised.
  ///   - training: Whether trained batch norm layers use the batch's statistics.
  /// - Returns: One `[N, H/s, W/s, C]` per output stage.
  package func callAsFunction(_ images: Tensor, training: Bool) throws -> [Tensor] {
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
