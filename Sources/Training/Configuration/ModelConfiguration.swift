import Settings

extension RunConfiguration {
  /// The detector (spec detector 2.1).
  public struct Model: Sendable, Equatable {
    /// The network that turns an image into feature maps.
    public var backbone = Backbone()
    /// The feature pyramid; unused when the head is of kind `c4`.
    public var neck = Neck()
    /// The region proposal network.
    public var rpn = RegionProposals()
    /// The box head.
    public var head = Head()
    /// The mask head.
    public var mask = Mask()
    /// What the network expects of an image.
    public var input = Input()
    /// A checkpoint that the run starts from; empty starts from random weights.
    public var start = ""

    /// Creates the published model.
    public init() {}
  }
}

extension RunConfiguration.Model {
  /// Which convolution of a stage's first bottleneck has the stride.
  public enum BackboneStyle: String, Sendable, CaseIterable, SettingsChoice {
    /// The 3x3 convolution.
    case pytorch
    /// The first 1x1 convolution.
    case caffe
  }

  /// How batch normalisation gets its statistics.
  public enum BackboneNorm: String, Sendable, CaseIterable, SettingsChoice {
    /// From the batch; its scale and shift are trained.
    case batch
    /// From the start weights; nothing is trained.
    case frozen
  }

  /// Whether there is batch normalisation and how it gets its statistics.
  public enum Norm: String, Sendable, CaseIterable, SettingsChoice {
    /// No normalisation; convolutions have a bias.
    case none
    /// From the batch; its scale and shift are trained.
    case batch
    /// From the start weights; nothing is trained.
    case frozen
  }

  /// A bottleneck ResNet (spec detector 2.2).
  public struct Backbone: Sendable, Equatable {
    /// Channels after the first convolution.
    public var stemWidth = 64
    /// Inner width of the bottlenecks of each stage; a stage gives four times as many channels.
    public var stageWidths = [64, 128, 256, 512]
    /// Bottlenecks in each stage.
    public var blocks = [3, 4, 6, 3]
    /// Where the stride is.
    public var style = BackboneStyle.pytorch
    /// How batch normalisation behaves.
    ///
    /// Statistics of two images are noisy: with few images a batch and good start weights, `frozen`
    /// is the safer choice; from random weights only `batch` learns.
    public var norm = BackboneNorm.batch
    /// How many parts never change: 0 none, 1 the stem, 2 the stem and stage 1, and so on.
    public var frozenStages = 0

    /// Creates ResNet-50.
    public init() {}
  }

  /// A feature pyramid (spec detector 2.2).
  public struct Neck: Sendable, Equatable {
    /// Channels of every level.
    public var channels = 256
    /// How batch normalisation behaves.
    public var norm = Norm.batch

    /// Creates the published pyramid.
    public init() {}
  }

  /// The region proposal network (spec detector 2.3 and 2.4).
  public struct RegionProposals: Sendable, Equatable {
    /// Whether objectness has a branch of its own that gives the shared features no gradient.
    public var detached = true
    /// Proposals of each level before suppression, in training.
    public var preNMSTrain = 2000
    /// Proposals of each level before suppression, at test.
    public var preNMSTest = 1000
    /// Proposals of an image after suppression, in training.
    public var postNMSTrain = 1000
    /// Proposals of an image after suppression, at test.
    public var postNMSTest = 1000
    /// A proposal that overlaps a better one by a larger IoU is dropped.
    public var nmsThreshold = 0.7
    /// Anchors of an image that the loss looks at.
    public var batchSize = 256
    /// Largest share of positive ones among them.
    public var positiveFraction = 0.5
    /// Sides of square anchors in pixels: one multiple of the strides for a pyramid, any for `c4`.
    public var anchorSizes = [32.0, 64, 128, 256, 512]
    /// Height over width.
    public var anchorRatios = [0.5, 1, 2]
    /// Pixels between neighbouring cells of each level; the head's kind fixes them.
    public var anchorStrides = [4, 8, 16, 32, 64]

    /// Creates the published network.
    public init() {}
  }

  /// The mask head of Mask R-CNN, class-agnostic (spec detector 2.8).
  public struct Mask: Sendable, Equatable {
    /// Whether there is one; training annotations then need segmentations.
    public var enabled = false
    /// 3x3 convolutions before the upsampling.
    public var convolutions = 4
    /// Channels of these convolutions.
    public var channels = 256
    /// How batch normalisation after these convolutions behaves.
    public var norm = Norm.batch

    /// Creates the published mask head, switched off.
    public init() {}
  }

  /// What an image is turned into before the first convolution (spec detector 2.1).
  public struct Input: Sendable, Equatable {
    /// Subtracted from each channel, in the order of ``order``; values of 0...255.
    public var mean = [123.675, 116.28, 103.53]
    /// What each channel is then divided by.
    public var std = [58.395, 57.12, 57.375]
    /// The order of the channels.
    public var order = ChannelOrder.rgb
    /// Width and height are filled up with zeros to a multiple of this many pixels.
    public var pad = 32

    /// Creates the published input.
    public init() {}
  }

  /// The order of colour channels.
  public enum ChannelOrder: String, Sendable, CaseIterable, SettingsChoice {
    /// Red, green, blue.
    case rgb
    /// Blue, green, red.
    case bgr
  }
}

extension RunConfiguration.Model: SettingsSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.section("backbone", &backbone)
    try keys.section("neck", &neck)
    try keys.section("rpn", &rpn)
    try keys.section("head", &head)
    try keys.section("mask", &mask)
    try keys.section("input", &input)
    try keys.path("start", &start)
  }
}

extension RunConfiguration.Model.Backbone: SettingsSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("stem_width", &stemWidth, .whole(1...4096))
    try keys.field("stage_widths", &stageWidths, .list(of: 4, .whole(1...4096)))
    try keys.field("blocks", &blocks, .list(of: 4, .whole(1...100)))
    try keys.field("style", &style)
    try keys.field("norm", &norm)
    try keys.field("frozen_stages", &frozenStages, .whole(0...5))
  }
}

extension RunConfiguration.Model.Neck: SettingsSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("channels", &channels, .whole(1...4096))
    try keys.field("norm", &norm)
  }
}

extension RunConfiguration.Model.RegionProposals: SettingsSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
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

extension RunConfiguration.Model.Mask: SettingsSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("enabled", &enabled)
    try keys.field("convolutions", &convolutions, .whole(0...32))
    try keys.field("channels", &channels, .whole(1...4096))
    try keys.field("norm", &norm)
  }
}

extension RunConfiguration.Model.Input: SettingsSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("mean", &mean, .list(of: 3, .finite))
    try keys.field("std", &std, .list(of: 3, .positive))
    try keys.field("order", &order)
    try keys.field("pad", &pad, .whole(1...1024))
  }
}
