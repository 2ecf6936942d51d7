import Layers
import Settings

/// How pooled features become a vector.
package enum HeadKind: String, Sendable, CaseIterable {
  /// Convolutions and a fully connected layer on 7x7 features of a pyramid.
  case fpn
  /// The last residual stage on 14x14 features of a single map, averaged.
  case c4
}

/// How class logits become scores, and what loss trains them.
package enum ClassActivation: String, Sendable, CaseIterable {
  /// Over all classes and the background.
  case softmax
  /// Each class alone.
  case sigmoid
}

/// What stands for the background among the class embeddings.
package enum BackgroundEmbedding: String, Sendable, CaseIterable {
  /// A trained unit vector.
  case learned = "learn"
  /// The zero vector: logit 0.
  case zero
}

/// Which text feature classes are compared in.
package enum ClassFeature: String, Sendable, CaseIterable {
  /// After the final norm and projection.
  case final
  /// After the last block, before final norm and projection.
  case lastBlock = "last_block"
}

/// How the scores of two heads are combined at test (spec detector 2.8).
package enum HeadEnsemble: String, Sendable, CaseIterable {
  /// Base classes lean on the main head, all others on the second.
  case split
  /// In one proportion for every class, as for data sets without base classes.
  case uniform
}

extension HeadKind: SettingsChoice {}
extension ClassActivation: SettingsChoice {}
extension BackgroundEmbedding: SettingsChoice {}
extension ClassFeature: SettingsChoice {}
extension HeadEnsemble: SettingsChoice {}

/// Everything about the box head (spec detector 2.5 to 2.9): the section `head`.
///
/// The defaults are those of OV-COCO with a feature pyramid and CLIP as teacher.
package struct BoxHeadConfiguration: Sendable, Equatable {
  /// How pooled features become a vector.
  package var kind = HeadKind.fpn
  /// 3x3 convolutions of kind `fpn`.
  package var convolutions = 4
  /// Width of the fully connected layer of kind `fpn`.
  package var fcWidth = 1024
  /// How batch norm after these convolutions behaves; nil for biases without norm.
  package var norm: NormMode? = .frozen
  /// Pseudo words of a region, K.
  package var words = 6
  /// What cosines are multiplied by in training.
  package var temperatureTrain: Float = 50
  /// What cosines are multiplied by at test.
  package var temperatureTest: Float = 50
  /// How logits become scores.
  package var activation = ClassActivation.softmax
  /// What stands for the background.
  package var background = BackgroundEmbedding.learned
  /// Weight of background regions in the classification loss; base classes have 1.
  package var backgroundWeight: Float = 0.7
  /// Probability that training leaves a word out.
  package var wordDropout = 0.5
  /// Which text feature classes are compared in.
  package var feature = ClassFeature.lastBlock
  /// How a second head, which learns from the alignment losses, votes; nil has one head for all.
  package var ensemble: HeadEnsemble?
  /// Exponent of the score of the head that a class leans on; the other has the rest to 1.
  package var ensembleFactor: Float = 2 / 3
  /// How regions are sampled in training.
  package var sampling = RegionSampling()
  /// What becomes a detection.
  package var detections = DetectionRule()
  /// Start of the logit bias of sigmoid training (spec detector 2.10); no key.
  package var sigmoidBias: Float = -20

  /// Creates the published head.
  package init() {}

  /// Start of the logit bias; nil has none.
  package var logitBias: Float? { activation == .sigmoid ? sigmoidBias : nil }

  /// How the scores of two heads become one; nil where there is one head.
  package var scores: EnsembleScores? {
    ensemble.map { EnsembleScores(factor: ensembleFactor, isUniform: $0 == .uniform) }
  }
}

extension BoxHeadConfiguration: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
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
    try sampling.visit(&keys)
    try detections.visit(&keys)
  }
}

/// Widths of the text encoder that a detector's words go through.
package struct TextWidths: Sendable, Equatable {
  /// Width of a word D: that of the text encoder's token embeddings.
  package var word: Int
  /// Width of a class embedding: that of the text feature.
  package var embedding: Int

  package init(word: Int, embedding: Int) {
    self.word = word
    self.embedding = embedding
  }
}

/// Sizes of a box head that follow from what is around it.
package struct BoxHeadWidths: Sendable, Equatable {
  /// Channels of the pooled features that arrive.
  package var input: Int
  /// Channels of the trunk's convolutions.
  package var convolutions: Int
  /// Side of the pooled features.
  package var side: Int
  /// Widths of the text encoder.
  package var text: TextWidths

  /// Creates sizes; the trunk's convolutions have the channels that arrive unless others are given.
  package init(input: Int, convolutions: Int? = nil, side: Int, text: TextWidths) {
    self.input = input
    self.convolutions = convolutions ?? input
    self.side = side
    self.text = text
  }
}
