import CLIP
import Formats
import Loading
import Settings

/// How the regions of an image are aligned with its captions (spec method 1.12, training 4.1): the
/// section `captions` of a configuration.
package struct CaptionSettings: Sendable, Equatable {
  /// Whether they are.
  package var enabled = false
  /// Weight of the loss.
  package var weight: Float = 10
  /// What cosines are multiplied by.
  package var temperature: Float = 30
  /// Which proposals are described together.
  package var filter = ProposalFilter(topCount: 128, overlap: 0.2, usesInclusiveImageBox: false)
  /// Most proposals of an image; the whole image is one region more.
  package var regionLimit = 10
  /// Most orders of an image's regions.
  package var permutationLimit = 4
  /// Rows of the queue of the student's sentences.
  package var sentenceQueueLength = 1024
  /// Rows of the queue of captions.
  package var captionQueueLength = 1024

  /// Creates the published caption supervision, switched off.
  package init() {}
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
  package var isEnabled: Bool { enabled }

  package var queueRows: Int { sentenceQueueLength + captionQueueLength }

  package var switchedOn: (by: String, orGive: String) { ("captions.enabled is true", "") }

  /// Images that are aligned with their captions.
  package var stream: ImageStream { .captions }

  /// The most positions that a sentence can take.
  package func longestSentence(words: Int) -> Int { (regionLimit + 1) * words + 2 }

  /// Sentences that do not fit into the text encoder.
  package func conflicts(words: Int, contextLength: Int) -> [(key: String, reason: String)] {
    let length = longestSentence(words: words)
    guard length > contextLength else { return [] }
    return [
      (
        "captions.region_limit",
        "is \(regionLimit), so an image of \(regionLimit + 1, "region") with \(words, "word") each "
          + "needs \(length, "token"), but the text encoder takes \(contextLength); give at most "
          + "\(max(0, (contextLength - 2) / words - 1))"
      )
    ]
  }

  package func method(_ parts: AlignmentParts) throws -> any AlignmentMethod {
    try CaptionSupervision(self, parts)
  }
}
