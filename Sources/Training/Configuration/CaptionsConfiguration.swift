extension RunConfiguration {
  /// How the regions of an image are aligned with its captions (spec method 1.12).
  public struct Captions: Sendable, Equatable {
    /// Whether they are.
    public var enabled = false
    /// Weight of the loss.
    public var weight = 10.0
    /// What cosines are multiplied by.
    public var temperature = 30.0
    /// Which proposals are described together.
    public var filter = Alignment.Filter(topCount: 128, overlap: 0.2)
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
}

extension RunConfiguration.Captions: ConfigurationSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
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
