/// Draws positives and negatives for a loss, negatives filling up what positives leave.
///
/// Source: spec detector 2.3, Targets; 2.5.
public struct BalancedSampler: Sendable, Equatable {
  /// Boxes to draw from an image.
  public let count: Int
  /// Largest share of positives.
  public let positiveFraction: Float

  /// Describes a draw.
  ///
  /// - Parameters:
  ///   - count: Boxes to draw from an image.
  ///   - positiveFraction: Largest share of positives.
  public init(count: Int, positiveFraction: Float) {
    self.count = count
    self.positiveFraction = positiveFraction
  }

  /// 256 anchors, half of them positive.
  public static let anchors = BalancedSampler(count: 256, positiveFraction: 0.5)

  /// 512 proposals, a quarter of them positive.
  public static let proposals = BalancedSampler(count: 512, positiveFraction: 0.25)

  /// What was drawn, as rising indices.
  public struct Sample: Sendable, Equatable {
    /// Boxes matched with ground truth.
    public var positives: [Int]
    /// Boxes matched with the background.
    public var negatives: [Int]

    /// Collects a sample.
    ///
    /// - Parameters:
    ///   - positives: Boxes matched with ground truth, rising.
    ///   - negatives: Boxes matched with the background, rising.
    public init(positives: [Int], negatives: [Int]) {
      self.positives = positives
      self.negatives = negatives
    }
  }

  /// Draws from an image's boxes, uniformly and without repetition.
  ///
  /// - Parameters:
  ///   - matches: As ``Matcher/Matches/truths``.
  ///   - generator: Decides the draw; as many numbers are taken as boxes are drawn from a larger set.
  /// - Returns: The sample.
  public func sample(
    matches: [Int32], using generator: inout some RandomNumberGenerator
  ) -> Sample {
    var (positives, negatives): ([Int], [Int]) = ([], [])
    for (index, match) in matches.enumerated() {
      if match >= 0 {
        positives.append(index)
      } else if match == Matcher.background {
        negatives.append(index)
      }
    }
    positives = drawn(Int(Float(count) * positiveFraction), of: positives, using: &generator)
    negatives = drawn(count - positives.count, of: negatives, using: &generator)
    return Sample(positives: positives, negatives: negatives)
  }

  /// The first steps of a shuffle, sorted.
  private func drawn(
    _ wanted: Int, of candidates: [Int], using generator: inout some RandomNumberGenerator
  ) -> [Int] {
    guard wanted < candidates.count else { return candidates }
    var candidates = candidates
    for place in 0..<wanted {
      candidates.swapAt(place, Int.random(in: place..<candidates.count, using: &generator))
    }
    return candidates[..<wanted].sorted()
  }
}
