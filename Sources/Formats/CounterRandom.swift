import Foundation

/// Random numbers as a pure function of a seed, a list of keys and a counter.
///
/// Nothing is carried from one use to the next, so a run that starts in the middle draws what the
/// uninterrupted run would have drawn:
/// ```swift
/// var random = CounterRandom(seed: seed, CounterRandom.key("flip"), UInt64(iteration), imageID)
/// let flipped = random.uniform() < 0.5
/// ```
/// Seed and keys are folded into one 64-bit key by the SplitMix64 finaliser; output `n` is the
/// finaliser of `key + (n + 1)·φ`, the SplitMix64 sequence (Steele, Lea, Flood 2014). Not for
/// cryptography. Keys are ordered: (1, 2) and (2, 1) give unrelated sequences.
package struct CounterRandom: RandomNumberGenerator, Sendable {
  private let start: UInt64
  private var counter: UInt64 = 0
  private static let golden: UInt64 = 0x9E37_79B9_7F4A_7C15

  /// Opens the sequence of a seed and keys at its first number.
  ///
  /// - Parameters:
  ///   - seed: The run's seed.
  ///   - keys: What the numbers are for: a purpose from ``key(_:)``, an iteration, an image id.
  package init(seed: UInt64, _ keys: UInt64...) {
    var state = Self.mix(seed &+ Self.golden)
    for key in keys {
      state = Self.mix(state &+ Self.golden ^ Self.mix(key &+ Self.golden))
    }
    start = state
  }

  /// What the numbers that follow are made from: number `n` is the SplitMix64 finaliser of
  /// `state + (n + 1)·φ`.
  ///
  /// For devices, which compute the numbers of a sequence side by side.
  package var state: UInt64 { start &+ counter &* Self.golden }

  /// A key that stands for a word (FNV-1a, 64 bits), the same in every run and on every machine.
  ///
  /// - Parameter word: The purpose, for example "flip".
  package static func key(_ word: String) -> UInt64 {
    word.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// The next 64 random bits.
  ///
  /// - Returns: A number uniform over all 64-bit values.
  package mutating func nextUInt64() -> UInt64 {
    counter &+= 1
    return Self.mix(start &+ counter &* Self.golden)
  }

  /// The next 64 random bits, for the standard library's random functions.
  ///
  /// - Returns: A number uniform over all 64-bit values.
  package mutating func next() -> UInt64 { nextUInt64() }

  /// A number uniform in [0, 1) with 53 random bits.
  package mutating func uniform() -> Double {
    Double(nextUInt64() >> 11) * 0x1p-53
  }

  /// Numbers uniform in a range, with 24 random bits each.
  ///
  /// - Parameters:
  ///   - count: How many.
  ///   - range: The least and the largest value.
  package mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> [Float] {
    let step = (range.upperBound - range.lowerBound) / Float(1 << 24)
    return [Float](unsafeUninitializedCapacity: count) { values, initialized in
      for index in 0..<count {
        values[index] = range.lowerBound + Float(nextUInt64() >> 40) * step
      }
      initialized = count
    }
  }

  /// A number uniform in a half-open range.
  ///
  /// - Parameters:
  ///   - low: The smallest value.
  ///   - high: The bound that is not reached.
  package mutating func uniform(_ low: Double, _ high: Double) -> Double {
    low + (high - low) * uniform()
  }

  /// A whole number uniform in `0..<bound`, without bias (Lemire's multiply and reject).
  ///
  /// - Parameter bound: The number of values, at least 1.
  package mutating func integer(below bound: Int) -> Int {
    precondition(bound > 0, "a random integer needs a bound above 0, not \(bound)")
    let range = UInt64(bound)
    let threshold = (0 &- range) % range
    while true {
      let product = nextUInt64().multipliedFullWidth(by: range)
      if product.low >= threshold { return Int(product.high) }
    }
  }

  /// A number of the standard normal distribution (Box–Muller; uses two uniform numbers).
  package mutating func normal() -> Double {
    let radius = (-2 * log(1 - uniform())).squareRoot()
    return radius * cos(2 * .pi * uniform())
  }

  /// Brings the elements into a uniformly random order (Fisher–Yates).
  ///
  /// - Parameter elements: The elements to reorder.
  package mutating func shuffle<Element>(_ elements: inout [Element]) {
    guard elements.count > 1 else { return }
    for last in stride(from: elements.count - 1, to: 0, by: -1) {
      elements.swapAt(last, integer(below: last + 1))
    }
  }
}
