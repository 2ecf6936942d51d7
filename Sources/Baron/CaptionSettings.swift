import CLIP
import Loading
import Settings

/// How the regions of an image are aligned with its captions (spec method 1.12, training 4.1): the
/// section `captions` of a configuration.
public struct CaptionSettings: Sendable, Equatable {
  /// Whether they are.
  public var enabled = false
  /// Weight of the loss.
  public var weight: Float = 10
  /// What cosines are multiplied by.
  public var temperature: Float = 30
  /// Which proposals are described together.
  public var filter = ProposalFilter(topCount: 128, overlap: 0.2, usesInclusiveImageBox: false)
  /// Most proposals of an image; the whole image is one region more.
  public var regionLimit = 10
  /// Most orders of an image's regions.
  public var permutationLimit = 4
  /// Rows of the queue of the student's sentences.
  public var sentenceQueueLength = 1024
  /// Rows of the queue of captions.
  public var captionQueueLength = 1024

  /// Creates the published caption supervision, switched off.
  public init() {}
}

extension CaptionSettings: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("enabled", &enabled)
    try keys.field("weight", &weight, .notNegative)
    try keys.field("temperature", &temperature, .positive)
    try keys.section("filter", &filter)
    // One of at most 20! orders is drawn by its number.
    try keys.field("region_limit", &regionLimit, .whole(0...19))
    try keys.field("permutation_limit", &permutationLimit, .whole(1...24))
    try keys.field("sentence_queue_length", &sentenceQueueLength, .atLeast(0))
    try keys.field("caption_queue_length", &captionQueueLength, .atLeast(0))
  }
}

extension CaptionSettings: AlignmentSettings {
  /// Whether they are aligned.
  public var isEnabled: Bool { enabled }

  /// The switch.
  public var switchedOn: (by: String, orGive: String) { ("captions.enabled is true", "") }

  /// Images that are aligned with their captions.
  public var stream: ImageStream { .captions }

  /// The most positions that a sentence can take.
  ///
  /// - Parameter words: Words per region K.
  /// - Returns: All words of the proposals and the whole image, start and end.
  public func longestSentence(words: Int) -> Int { (regionLimit + 1) * words + 2 }

  /// Sentences that do not fit into the text encoder.
  ///
  /// - Parameters:
  ///   - words: Words per region K.
  ///   - contextLength: Positions that the text encoder takes.
  /// - Returns: The key of the regions with the reason.
  public func conflicts(words: Int, contextLength: Int) -> [(key: String, reason: String)] {
    let length = longestSentence(words: words)
    guard length > contextLength else { return [] }
    return [
      (
        "captions.region_limit",
        "is \(regionLimit), so an image of \(regionLimit + 1) regions with \(words) words each "
          + "needs \(length) tokens, but the text encoder takes \(contextLength); give at most "
          + "\(max(0, (contextLength - 2) / words - 1))"
      )
    ]
  }

  /// Builds the method.
  ///
  /// - Parameter parts: What methods are made of.
  /// - Returns: The supervision by captions.
  /// - Throws: `OpenCLError` when memory runs out.
  public func method(_ parts: AlignmentParts) throws -> any AlignmentMethod {
    try CaptionSupervision(self, parts)
  }
}
