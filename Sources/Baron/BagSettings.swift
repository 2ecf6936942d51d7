import CLIP
import Formats
import Loading
import Settings

/// How bags of regions are aligned with the teacher (spec method 1.3 to 1.11, training 4.1): the
/// section `alignment` of a configuration.
///
/// The defaults are those of OV-COCO with a feature pyramid.
package struct BagSettings: Sendable, Equatable {
  /// What is aligned.
  package enum Kind: String, Sendable, CaseIterable {
    /// Bags, and each occurrence beside.
    case bags
    /// Each occurrence alone: the individual loss without the loss of bags.
    case regions
    /// Nothing: the plain detector.
    case none
  }

  /// What is aligned.
  package var kind = Kind.bags
  /// Weight of the loss of bags.
  package var bagWeight: Float = 1
  /// What cosines of bags are multiplied by.
  package var bagTemperature: Float = 30
  /// Weight of the individual loss.
  package var regionWeight: Float = 0.1
  /// What cosines of the individual loss are multiplied by.
  package var regionTemperature: Float = 50
  /// Rows of the queues of bags.
  package var bagQueueLength: QueueLengths = 1024
  /// Rows of the queues of the individual loss.
  package var regionQueueLength: QueueLengths = 1024
  /// Which proposals bags are sampled around.
  package var filter = ProposalFilter()
  /// How bags are sampled.
  package var sampling = NeighbourhoodSampling()
  /// Most occurrences of an image over all its sequences, a cap of memory; 0 for none.
  ///
  /// An image in the published setting has 200 to 400 (spec training 4.7).
  package var occurrenceLimit = 0
  /// Whether the teacher sees only the patches that a bag's regions cover.
  package var cropMask = false
  /// Whether a region's words are moved by its place in the bag.
  package var positionEmbedding = true
  /// Proposals remembered over the epochs.
  package var cache = BoxCacheSettings()

  /// Creates the published alignment.
  package init() {}

  /// Regions of the largest bag: a proposal and its eight neighbours (spec method 1.4).
  static let largestBag = 9
}

extension BagSettings.Kind: SettingsChoice {}

extension BagSettings: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("kind", &kind)
    try keys.field("bag_weight", &bagWeight, .notNegative)
    try keys.field("bag_temperature", &bagTemperature, .positive)
    try keys.field("region_weight", &regionWeight, .notNegative)
    try keys.field("region_temperature", &regionTemperature, .positive)
    try keys.field("bag_queue_length", &bagQueueLength, .lengths)
    try keys.field("region_queue_length", &regionQueueLength, .lengths)
    try keys.section("filter", &filter)
    try keys.section("sampling", &sampling)
    try keys.field("occurrence_limit", &occurrenceLimit, .atLeast(0))
    try keys.field("crop_mask", &cropMask)
    try keys.field("position_embedding", &positionEmbedding)
    try keys.section("cache", &cache)
  }
}

extension BagSettings: AlignmentSettings {
  package var isEnabled: Bool { kind != .none }

  package var queueRows: Int { bagQueueLength.sum + regionQueueLength.sum }

  package var switchedOn: (by: String, orGive: String) {
    ("alignment.kind is \(kind.rawValue)", " or kind none")
  }

  /// Images that are aligned with what CLIP sees in them.
  package var stream: ImageStream { .alignment }

  /// The most positions that a sequence can take; individual regions are sampled in bags too.
  package func longestSentence(words: Int) -> Int { Self.largestBag * words + 2 }

  /// A bag whose words do not fit into the text encoder.
  package func conflicts(words: Int, contextLength: Int) -> [(key: String, reason: String)] {
    let length = longestSentence(words: words)
    guard kind == .bags, length > contextLength else { return [] }
    return [
      (
        "model.head.words",
        "is \(words), so a bag of \(Self.largestBag, "region") needs \(length, "token"), but "
          + "the text encoder takes \(contextLength); give at most "
          + "\((contextLength - 2) / Self.largestBag, "word") or alignment.kind regions"
      )
    ]
  }

  package func method(_ parts: AlignmentParts) throws -> any AlignmentMethod {
    try BagDistillation(self, parts)
  }
}
