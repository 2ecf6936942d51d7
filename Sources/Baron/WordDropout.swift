import CLIP
import Formats

/// Drops pseudo words at random (spec method 1.7).
public enum WordDropout {
  /// Draws which words are kept; where none would be, word 0 is.
  ///
  /// - Parameters:
  ///   - regions: Number of regions.
  ///   - words: Words per region K.
  ///   - rate: Probability that a word is dropped.
  ///   - random: Where randomness comes from.
  /// - Returns: K flags per region.
  public static func masks(
    regions: Int, words: Int, rate: Double, using random: inout CounterRandom
  ) -> [[Bool]] {
    (0..<regions).map { _ in
      var keep = (0..<words).map { _ in random.uniform() >= rate }
      if !keep.contains(true) { keep[0] = true }
      return keep
    }
  }
}
