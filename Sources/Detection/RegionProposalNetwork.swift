import Layers
import Settings
import Tensors

/// How many proposals stay (spec detector 2.3).
package struct ProposalLimits: Sendable, Equatable {
  /// Best anchors of each level before non-maximum suppression.
  package var perLevel: Int
  /// Best boxes of all levels after it.
  package var total: Int
}

/// Everything about the region proposal network; the defaults are those of OV-COCO with a feature
/// pyramid (spec detector 2.3 and 2.4): the section `rpn`.
package struct RegionProposalConfiguration: Sendable, Equatable {
  /// Whether objectness has a branch of its own that gives the shared features no gradient.
  package var detached = true
  /// Proposals of each level before suppression, in training and for the alignment losses.
  package var preNMSTrain = 2000
  /// Proposals of each level before suppression, at test.
  package var preNMSTest = 1000
  /// Proposals of an image after suppression, in training and for the alignment losses.
  package var postNMSTrain = 1000
  /// Proposals of an image after suppression, at test.
  package var postNMSTest = 1000
  /// A proposal that overlaps a better one of its level by a larger IoU is dropped.
  package var nmsThreshold: Float = 0.7
  /// Anchors of an image that the loss looks at.
  package var batchSize = 256
  /// Largest share of positive ones among them.
  package var positiveFraction: Float = 0.5
  /// Sides of square anchors in pixels: one multiple of the strides for a pyramid, any for `c4`.
  package var anchorSizes: [Float] = [32, 64, 128, 256, 512]
  /// Height over width.
  package var anchorRatios: [Float] = [0.5, 1, 2]
  /// Pixels between neighbouring cells of each level; the head's kind fixes them.
  package var anchorStrides = [4, 8, 16, 32, 64]

  /// Overlap from which an anchor is positive; no key.
  package var positiveOverlap: Float = 0.7
  /// Overlap below which an anchor is negative; no key.
  package var negativeOverlap: Float = 0.3
  /// Overlap from which a ground truth's best anchors are positive; no key.
  package var lowQualityOverlap: Float = 0.3

  /// Creates the published network.
  package init() {}

  /// How many proposals stay.
  ///
  /// - Parameter training: Whether for training or at test.
  package func limits(training: Bool) -> ProposalLimits {
    training
      ? ProposalLimits(perLevel: preNMSTrain, total: postNMSTrain)
      : ProposalLimits(perLevel: preNMSTest, total: postNMSTest)
  }

  /// Anchor sizes in multiples of the stride: a pyramid has one size per level, in proportion to its
  /// stride, a single map has them all.
  package var anchorScales: [Float] {
    (anchorStrides.count > 1 ? Array(anchorSizes.prefix(1)) : anchorSizes).map {
      $0 / Float(anchorStrides[0])
    }
  }

  /// Anchors of one cell.
  package var anchorsPerCell: Int { anchorScales.count * anchorRatios.count }
}

extension RegionProposalConfiguration: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("detached", &detached)
    try keys.field("pre_nms_train", &preNMSTrain, .atLeast(1))
    try keys.field("pre_nms_test", &preNMSTest, .atLeast(1))
    try keys.field("post_nms_train", &postNMSTrain, .atLeast(1))
    try keys.field("post_nms_test", &postNMSTest, .atLeast(1))
    try keys.field("nms_threshold", &nmsThreshold, .number(0...1))
    try keys.field("batch_size", &batchSize, .atLeast(1))
    try keys.field("positive_fraction", &positiveFraction, .number(0...1))
    try keys.field("anchor_sizes", &anchorSizes, .list(atLeast: 1, .positive))
    try keys.field("anchor_ratios", &anchorRatios, .list(atLeast: 1, .positive))
    try keys.field("anchor_strides", &anchorStrides, .list(atLeast: 1, .atLeast(1)))
  }
}

/// What the network says about every anchor.
package struct RegionProposalOutput {
  /// Objectness of each level, `[N, H, W, A]`.
  package let logits: [Tensor]
  /// Box deltas of each level, `[N, H, W, 4·A]`, anchor by anchor.
  package let deltas: [Tensor]
}

/// Objectness and box deltas of anchors, shared over the levels (spec detector 2.3 and 2.4).
package struct RegionProposalNetwork {
  /// What the network is built from.
  package let configuration: RegionProposalConfiguration
  /// Where the anchors stand.
  package let anchors: AnchorGenerator
  /// The anchors of a cell at the origin, `[A, 4]`, for each level.
  let bases: [Tensor]
  private let shared: Convolution
  private let objectness: [Convolution]
  private let regressor: Convolution

  /// Creates the network.
  ///
  /// - Parameters:
  ///   - scope: Where `rpn_conv`, `rpn_cls` and `rpn_reg` are named.
  ///   - configuration: Its shape.
  ///   - width: Channels of every map.
  package init(
    _ scope: ParameterScope, _ configuration: RegionProposalConfiguration, width: Int
  ) throws {
    self.configuration = configuration
    anchors = AnchorGenerator(configuration)
    bases = try configuration.anchorStrides.indices.map { [anchors] level in
      let boxes = anchors.baseAnchors(level: level)
      return try Tensor(
        boxes.corners, shape: [boxes.count, 4], on: scope.stream, label: "base anchors")
    }
    func convolution(_ scope: ParameterScope, _ outputs: Int, _ kernel: Int) throws -> Convolution {
      try Convolution(
        scope, inputs: width, outputs: outputs, kernel: kernel, hasBias: true,
        initializer: .normal(standardDeviation: 0.01))
    }
    let count = configuration.anchorsPerCell
    shared = try convolution(scope / "rpn_conv", width, 3)
    let place = scope / "rpn_cls"
    objectness =
      configuration.detached
      ? [try convolution(place / "0", width, 3), try convolution(place / "2", count, 1)]
      : [try convolution(place, count, 1)]
    regressor = try convolution(scope / "rpn_reg", 4 * count, 1)
  }

  /// Runs the network.
  ///
  /// - Parameter maps: `[N, H, W, C]` of each level.
  /// - Returns: Objectness and deltas of every anchor.
  package func callAsFunction(_ maps: [Tensor]) throws -> RegionProposalOutput {
    precondition(
      maps.count == configuration.anchorStrides.count,
      "\(maps.count) maps for \(configuration.anchorStrides.count) strides")
    var logits: [Tensor] = []
    var deltas: [Tensor] = []
    for map in maps {
      let features = try shared(map, then: .relu)
      deltas.append(try regressor(features, storing: .float32))
      if configuration.detached {
        let hidden = try objectness[0](features.detached(), then: .relu)
        logits.append(try objectness[1](hidden, storing: .float32))
      } else {
        logits.append(try objectness[0](features, storing: .float32))
      }
    }
    return RegionProposalOutput(logits: logits, deltas: deltas)
  }
}
