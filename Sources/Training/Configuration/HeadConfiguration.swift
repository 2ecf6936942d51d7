import Settings

extension RunConfiguration.Model {
  /// How pooled features become a vector.
  public enum HeadKind: String, Sendable, CaseIterable, SettingsChoice {
    /// Convolutions and a fully connected layer on 7x7 features of a pyramid.
    case fpn
    /// The last residual stage on 14x14 features of a single map, averaged.
    case c4
  }

  /// How class logits become scores, and what loss trains them.
  public enum Activation: String, Sendable, CaseIterable, SettingsChoice {
    /// Over all classes and the background.
    case softmax
    /// Each class alone.
    case sigmoid
  }

  /// What stands for the background among the class embeddings.
  public enum Background: String, Sendable, CaseIterable, SettingsChoice {
    /// A trained unit vector.
    case learn
    /// The zero vector: logit 0.
    case zero
  }

  /// Which text feature classes are compared in.
  public enum Feature: String, Sendable, CaseIterable, SettingsChoice {
    /// After the final norm and projection.
    case final
    /// After the last block, before final norm and projection.
    case lastBlock = "last_block"
  }

  /// Whether a second head learns from the alignment losses, and how the scores of both are
  /// combined at test (spec detector 2.8).
  public enum Ensemble: String, Sendable, CaseIterable, SettingsChoice {
    /// One head learns from all losses.
    case none
    /// Two heads; base classes lean on the main head, all others on the second.
    case split
    /// Two heads in one proportion for every class, as for data sets without base classes.
    case uniform
  }

  /// The box head (spec detector 2.5 to 2.9).
  public struct Head: Sendable, Equatable {
    /// How pooled features become a vector.
    public var kind = HeadKind.fpn
    /// 3x3 convolutions of kind `fpn`.
    public var convolutions = 4
    /// Width of the fully connected layer of kind `fpn`.
    public var fcWidth = 1024
    /// How batch normalisation after these convolutions behaves.
    public var norm = Norm.frozen
    /// Pseudo words of a region.
    public var words = 6
    /// What cosines are multiplied by in training.
    public var temperatureTrain = 50.0
    /// What cosines are multiplied by at test.
    public var temperatureTest = 50.0
    /// How logits become scores.
    public var activation = Activation.softmax
    /// What stands for the background.
    public var background = Background.learn
    /// Weight of background regions in the classification loss; base classes have 1.
    public var backgroundWeight = 0.7
    /// Probability that training leaves a word out.
    public var wordDropout = 0.5
    /// Which text feature classes are compared in.
    public var feature = Feature.lastBlock
    /// Whether the alignment losses have a head of their own.
    public var ensemble = Ensemble.none
    /// Exponent of the score of the head that a class leans on; the other has the rest to 1.
    public var ensembleFactor = 2.0 / 3
    /// Regions of an image that the losses look at.
    public var rois = 512
    /// Largest share of positive ones among them.
    public var positiveFraction = 0.25
    /// Whether all regions tied at the best overlap with a ground truth are positive, from an IoU of
    /// 0.5 on, as in Mask R-CNN.
    public var matchLowQuality = false
    /// Detections need a higher score, in 0...1.
    public var scoreThreshold = 0.01
    /// A detection that overlaps a better one of its class by a larger IoU is dropped.
    public var nmsThreshold = 0.5
    /// Most detections of an image.
    public var detectionsPerImage = 100

    /// Creates the published head.
    public init() {}
  }
}

extension RunConfiguration.Model.Head: SettingsSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("kind", &kind)
    try keys.field("convolutions", &convolutions, .whole(0...32))
    try keys.field("fc_width", &fcWidth, .whole(1...65536))
    try keys.field("norm", &norm)
    try keys.field("words", &words, .whole(1...75))
    try keys.field("temperature_train", &temperatureTrain, .positive)
    try keys.field("temperature_test", &temperatureTest, .positive)
    try keys.field("activation", &activation)
    try keys.field("background", &background)
    try keys.field("background_weight", &backgroundWeight, .notNegative)
    try keys.field("word_dropout", &wordDropout, .number(0...1))
    try keys.field("feature", &feature)
    try keys.field("ensemble", &ensemble)
    try keys.field("ensemble_factor", &ensembleFactor, .number(0...1))
    try keys.field("rois", &rois, .atLeast(1))
    try keys.field("positive_fraction", &positiveFraction, .number(0...1))
    try keys.field("match_low_quality", &matchLowQuality)
    try keys.field("score_threshold", &scoreThreshold, .number(0...1))
    try keys.field("nms_threshold", &nmsThreshold, .number(0...1))
    try keys.field("detections_per_image", &detectionsPerImage, .atLeast(1))
  }
}
