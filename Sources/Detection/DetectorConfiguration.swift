import Layers

/// Everything that shapes a detector: feature pyramid or single map, at any width
/// (spec detector 2.1).
public struct DetectorConfiguration: Sendable, Equatable {
  /// The feature pyramid between backbone and heads.
  public struct Pyramid: Sendable, Equatable {
    /// Channels of every level.
    public var width: Int
    /// How batch norm after its convolutions behaves; nil for biases without norm.
    public var norm: NormMode?

    /// Creates the shape.
    ///
    /// - Parameters:
    ///   - width: Channels of every level.
    ///   - norm: How batch norm behaves; nil for biases without norm.
    public init(width: Int, norm: NormMode?) {
      self.width = width
      self.norm = norm
    }
  }

  /// The residual stage that every pooled region passes: "res5".
  public struct SharedStage: Sendable, Equatable {
    /// Inner width of its bottlenecks.
    public var width = 512
    /// Number of bottlenecks.
    public var blocks = 3
    /// How its batch norm layers behave.
    public var norm = NormMode.frozen

    /// Creates the last stage of ResNet-50.
    public init() {}
  }

  /// The backbone.
  public var backbone = ResNetConfiguration()
  /// The feature pyramid; nil hands the backbone's maps on.
  public var pyramid: Pyramid? = Pyramid(width: 256, norm: .batch)
  /// The region proposal network.
  public var proposals = RegionProposalConfiguration()
  /// How regions are pooled.
  public var pooling = RegionPooling(strides: [4, 8, 16, 32], size: 7)
  /// The stage between pooling and the box head; nil has none.
  public var sharedStage: SharedStage?
  /// The box head.
  public var head = BoxHeadConfiguration()
  /// The mask head; nil has none.
  public var mask: MaskHeadConfiguration?
  /// How regions are sampled in training.
  public var sampling = RegionSampling()
  /// What becomes a detection.
  public var detections = DetectionRule()

  /// Creates the configuration of OV-COCO with a feature pyramid.
  public init() {}

  /// OV-COCO with a feature pyramid: columns A and B of spec training 4.1 without B's own values.
  public static let pyramid = DetectorConfiguration()

  /// OV-COCO on a single map with a residual stage as the head: column D of spec training 4.1.
  public static let singleMap: DetectorConfiguration = {
    var detector = DetectorConfiguration()
    detector.backbone.stridePlace = .first
    detector.backbone.outputStages = [3]
    detector.backbone.norm = .frozen
    detector.backbone.frozenParts = 2
    detector.pyramid = nil
    detector.proposals.inputWidth = 1024
    detector.proposals.isDetached = false
    detector.proposals.strides = [16]
    detector.proposals.anchorScales = [2, 4, 8, 16, 32]
    detector.proposals.trainingLimits = ProposalLimits(perLevel: 12000, total: 2000)
    detector.proposals.testLimits = ProposalLimits(perLevel: 6000, total: 1000)
    detector.pooling = RegionPooling(strides: [16], size: 14)
    detector.sharedStage = SharedStage()
    detector.head.trunk = .averagePool
    detector.head.inputWidth = 2048
    detector.head.words = 4
    return detector
  }()
}
