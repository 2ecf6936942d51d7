import CLIP
import Loading
import Settings

/// How bags of regions are aligned with the teacher (spec method 1.3 to 1.11, training 4.1): the
/// section `alignment` of a configuration.
///
/// The defaults are those of OV-COCO with a feature pyramid.
public struct BagSettings: Sendable, Equatable {
  /// What is aligned.
  public enum Kind: String, Sendable, CaseIterable {
    /// Bags, and each occurrence beside.
    case bags
    /// Each occurrence alone: the individual loss without the loss of bags.
    case regions
    /// Nothing: the plain detector.
    case none
  }

  /// What is aligned.
  public var kind = Kind.bags
  /// Weight of the loss of bags.
  public var bagWeight: Float = 1
  /// What cosines of bags are multiplied by.
  public var bagTemperature: Float = 30
  /// Weight of the individual loss.
  public var regionWeight: Float = 0.1
  /// What cosines of the individual loss are multiplied by.
  public var regionTemperature: Float = 50
  /// Rows of the queues of bags.
  public var bagQueueLength: QueueLengths = 1024
  /// Rows of the queues of the individual loss.
  public var regionQueueLength: QueueLengths = 1024
  /// Which proposals bags are sampled around.
  public var filter = ProposalFilter()
  /// How bags are sampled.
  public var sampling = NeighbourhoodSampling()
  /// Most occurrences of an image over all its sequences, a cap of memory; 0 for none.
  ///
  /// An image in the published setting has 200 to 400 (spec training 4.7).
  public var occurrenceLimit = 0
  /// Whether the teacher sees only the patches that a bag's regions cover.
  public var cropMask = false
  /// Proposals remembered over the epochs.
  public var cache = BoxCacheSettings()

  /// Creates the published alignment.
  public init() {}

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
    try keys.section("cache", &cache)
  }
}

extension BagSettings: AlignmentSettings {
  /// Whether anything is aligned.
  public var isEnabled: Bool { kind != .none }

  /// The kind.
  public var switchedOn: (by: String, orGive: String) {
    ("alignment.kind is \(kind.rawValue)", " or kind none")
  }

  /// Images that are aligned with what CLIP sees in them.
  public var stream: ImageStream { .alignment }

  /// The most positions that a sequence can take; individual regions are sampled in bags too.
  ///
  /// - Parameter words: Words per region K.
  /// - Returns: Nine regions of all words, start and end.
  public func longestSentence(words: Int) -> Int { Self.largestBag * words + 2 }

  /// A bag whose words do not fit into the text encoder.
  ///
  /// - Parameters:
  ///   - words: Words per region K.
  ///   - contextLength: Positions that the text encoder takes.
  /// - Returns: The key of the words with the reason.
  public func conflicts(words: Int, contextLength: Int) -> [(key: String, reason: String)] {
    let length = longestSentence(words: words)
    guard kind == .bags, length > contextLength else { return [] }
    return [
      (
        "model.head.words",
        "is \(words), so a bag of \(Self.largestBag) regions needs \(length) tokens, but "
          + "the text encoder takes \(contextLength); give at most "
          + "\((contextLength - 2) / Self.largestBag) words or alignment.kind regions"
      )
    ]
  }

  /// Builds the method.
  ///
  /// - Parameter parts: What methods are made of.
  /// - Returns: The distillation of bags.
  /// - Throws: `CheckpointError` when the CLIP folder does not fit; `OpenCLError`.
  public func method(_ parts: AlignmentParts) throws -> any AlignmentMethod {
    try BagDistillation(self, parts)
  }
}
