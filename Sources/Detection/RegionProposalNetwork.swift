import Layers
import Tensors

/// How many proposals stay (spec detector 2.3).
public struct ProposalLimits: Sendable, Equatable {
  /// Best anchors of each level before non-maximum suppression.
  public var perLevel: Int
  /// Best boxes of all levels after it.
  public var total: Int

  /// Creates limits.
  ///
  /// - Parameters:
  ///   - perLevel: Best anchors of each level before suppression.
  ///   - total: Best boxes of all levels after it.
  public init(perLevel: Int, total: Int) {
    self.perLevel = perLevel
    self.total = total
  }
}

/// Everything about the region proposal network; the defaults are those of OV-COCO with a feature
/// pyramid (spec detector 2.3 and 2.4).
public struct RegionProposalConfiguration: Sendable, Equatable {
  /// Channels of every map.
  public var inputWidth = 256
  /// Whether objectness has a convolution of its own on features that it does not train.
  public var isDetached = true
  /// Stride of each level.
  public var strides = [4, 8, 16, 32, 64]
  /// Anchor sizes in multiples of the stride.
  public var anchorScales: [Float] = [8]
  /// Anchor heights over widths.
  public var anchorRatios: [Float] = [0.5, 1, 2]
  /// Anchors sampled per image.
  public var samples = 256
  /// Largest share of positives among them.
  public var positiveFraction: Float = 0.5
  /// Overlap from which an anchor is positive.
  public var positiveOverlap: Float = 0.7
  /// Overlap below which an anchor is negative.
  public var negativeOverlap: Float = 0.3
  /// Overlap from which a ground truth's best anchors are positive.
  public var lowQualityOverlap: Float = 0.3
  /// Proposals kept in training and for the alignment losses.
  public var trainingLimits = ProposalLimits(perLevel: 2000, total: 1000)
  /// Proposals kept at test.
  public var testLimits = ProposalLimits(perLevel: 1000, total: 1000)
  /// Proposals of one level that overlap a better one by more are dropped.
  public var overlap: Float = 0.7

  /// Creates the configuration of OV-COCO with a feature pyramid.
  public init() {}

  /// Anchors of one cell.
  public var anchorsPerCell: Int { anchorScales.count * anchorRatios.count }
}

/// What the network says about every anchor.
public struct RegionProposalOutput {
  /// Objectness of each level, `[N, H, W, A]`.
  public let logits: [Tensor]
  /// Box deltas of each level, `[N, H, W, 4·A]`, anchor by anchor.
  public let deltas: [Tensor]

  /// Puts the maps of all levels together.
  ///
  /// - Parameters:
  ///   - logits: Objectness of each level.
  ///   - deltas: Box deltas of each level.
  public init(logits: [Tensor], deltas: [Tensor]) {
    self.logits = logits
    self.deltas = deltas
  }
}

/// Objectness and box deltas of anchors, shared over the levels (spec detector 2.3 and 2.4).
public struct RegionProposalNetwork {
  /// What the network is built from.
  public let configuration: RegionProposalConfiguration
  /// Where the anchors stand.
  public let anchors: AnchorGenerator
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
  /// - Throws: `OpenCLError` when memory runs out.
  public init(_ scope: ParameterScope, _ configuration: RegionProposalConfiguration) throws {
    self.configuration = configuration
    anchors = AnchorGenerator(
      strides: configuration.strides, scales: configuration.anchorScales,
      ratios: configuration.anchorRatios)
    bases = try configuration.strides.indices.map { [anchors] level in
      let boxes = anchors.baseAnchors(level: level)
      return try Tensor(
        boxes.corners, shape: [boxes.count, 4], on: scope.stream, label: "base anchors")
    }
    let width = configuration.inputWidth
    func convolution(_ scope: ParameterScope, _ outputs: Int, _ kernel: Int) throws -> Convolution {
      try Convolution(
        scope, inputs: width, outputs: outputs, kernel: kernel, hasBias: true,
        initializer: .normal(standardDeviation: 0.01))
    }
    let count = configuration.anchorsPerCell
    shared = try convolution(scope / "rpn_conv", width, 3)
    let place = scope / "rpn_cls"
    objectness =
      configuration.isDetached
      ? [try convolution(place / "0", width, 3), try convolution(place / "2", count, 1)]
      : [try convolution(place, count, 1)]
    regressor = try convolution(scope / "rpn_reg", 4 * count, 1)
  }

  /// Runs the network.
  ///
  /// - Parameter maps: `[N, H, W, C]` of each level.
  /// - Returns: Objectness and deltas of every anchor.
  /// - Throws: `OpenCLError` when the device fails.
  public func callAsFunction(_ maps: [Tensor]) throws -> RegionProposalOutput {
    precondition(
      maps.count == configuration.strides.count,
      "\(maps.count) maps for \(configuration.strides.count) strides")
    var logits: [Tensor] = []
    var deltas: [Tensor] = []
    for map in maps {
      let features = try shared(map).relu()
      deltas.append(try regressor(features).converted(to: .float32))
      if configuration.isDetached {
        let hidden = try objectness[0](features.detached()).relu()
        logits.append(try objectness[1](hidden).converted(to: .float32))
      } else {
        logits.append(try objectness[0](features).converted(to: .float32))
      }
    }
    return RegionProposalOutput(logits: logits, deltas: deltas)
  }
}
