extension RunConfiguration {
  /// How regions are aligned with the teacher (spec method 1.3 to 1.11).
  public struct Alignment: Sendable, Equatable {
    /// What is aligned.
    public enum Kind: String, Sendable, CaseIterable, ConfigurationChoice {
      /// Bags of neighbouring regions.
      case bags
      /// Each region alone.
      case regions
      /// Nothing: the plain detector.
      case none
    }

    /// What is aligned.
    public var kind = Kind.bags
    /// Weight of the loss of bags.
    public var bagWeight = 1.0
    /// What cosines of bags are multiplied by.
    public var bagTemperature = 30.0
    /// Weight of the loss of single regions.
    public var regionWeight = 0.1
    /// What cosines of single regions are multiplied by.
    public var regionTemperature = 50.0
    /// Rows of each of the two queues of bags.
    public var bagQueueLength = 1024
    /// Rows of each of the two queues of regions.
    public var regionQueueLength = 1024
    /// Which proposals bags are sampled around.
    public var filter = Filter()
    /// How bags are sampled.
    public var sampling = Sampling()
    /// Most regions of an image over all its bags and their orders, a cap of memory; 0 for none.
    ///
    /// An image in the published setting has 200 to 400 (spec training 4.7).
    public var occurrenceLimit = 0
    /// Whether the teacher sees only the patches that a bag's boxes cover.
    public var cropMask = false
    /// Proposals remembered over the epochs.
    public var cache = Cache()

    /// Creates the published alignment.
    public init() {}
  }
}

extension RunConfiguration.Alignment {
  /// Which proposals bags are sampled around (spec method 1.3).
  public struct Filter: Sendable, Equatable {
    /// How many proposals of an image are looked at, by score.
    public var topCount: Int
    /// Smallest width over height; its inverse is the largest.
    public var shapeRatio = 0.25
    /// Smallest share of the image's area.
    public var areaRatio = 0.01
    /// Smallest score.
    public var objectness = 0.85
    /// A proposal that overlaps a better one by a larger IoU is dropped.
    public var overlap: Double

    /// Creates a filter; the defaults are those published for the teacher's bags.
    ///
    /// - Parameters:
    ///   - topCount: How many proposals of an image are looked at, by score.
    ///   - overlap: Largest IoU with a better proposal.
    public init(topCount: Int = 300, overlap: Double = 0.1) {
      self.topCount = topCount
      self.overlap = overlap
    }
  }

  /// How bags are sampled around a proposal (spec method 1.4).
  public struct Sampling: Sendable, Equatable {
    /// Most bags of a proposal.
    public var groupLimit = 3
    /// Most orders of a bag.
    public var permutationLimit = 2
    /// Exponent of the aspect ratio in a side's probability.
    public var alpha = 3.0
    /// Largest probability of a neighbour.
    public var baseProbability = 0.3
    /// Share of a neighbour that must lie inside the image.
    public var visibility = 0.3
    /// Gap between neighbours in units of the box; negative overlaps.
    public var interval = -0.1

    /// Creates the published sampling.
    public init() {}
  }

  /// Proposals remembered over the epochs (spec method 1.5).
  public struct Cache: Sendable, Equatable {
    /// Whether proposals are remembered.
    public var enabled = true
    /// The alignment image, counted from 1 over the run, from which the memory is used.
    public var firstCall = 20_000
    /// Most boxes kept for an image.
    public var capacity = 300

    /// Creates the published cache.
    public init() {}
  }
}

extension RunConfiguration.Alignment: ConfigurationSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("kind", &kind)
    try keys.field("bag_weight", &bagWeight, .notNegative)
    try keys.field("bag_temperature", &bagTemperature, .positive)
    try keys.field("region_weight", &regionWeight, .notNegative)
    try keys.field("region_temperature", &regionTemperature, .positive)
    try keys.field("bag_queue_length", &bagQueueLength, .atLeast(0))
    try keys.field("region_queue_length", &regionQueueLength, .atLeast(0))
    try keys.section("filter", &filter)
    try keys.section("sampling", &sampling)
    try keys.field("occurrence_limit", &occurrenceLimit, .atLeast(0))
    try keys.field("crop_mask", &cropMask)
    try keys.section("cache", &cache)
  }
}

extension RunConfiguration.Alignment.Filter: ConfigurationSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("top_count", &topCount, .atLeast(1))
    try keys.field("shape_ratio", &shapeRatio, .number(0...1))
    try keys.field("area_ratio", &areaRatio, .number(0...1))
    try keys.field("objectness", &objectness, .number(0...1))
    try keys.field("overlap", &overlap, .number(0...1))
  }
}

extension RunConfiguration.Alignment.Sampling: ConfigurationSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("group_limit", &groupLimit, .whole(1...256))
    try keys.field("permutation_limit", &permutationLimit, .whole(1...24))
    try keys.field("alpha", &alpha, .notNegative)
    try keys.field("base_probability", &baseProbability, .number(0...1))
    try keys.field("visibility", &visibility, .number(0...1))
    try keys.field("interval", &interval, .number(-0.9...1))
  }
}

extension RunConfiguration.Alignment.Cache: ConfigurationSection {
  mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("enabled", &enabled)
    try keys.field("first_call", &firstCall, .atLeast(1))
    try keys.field("capacity", &capacity, .atLeast(1))
  }
}
