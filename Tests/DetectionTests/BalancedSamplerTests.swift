import Detection
import Testing

/// A small generator with a seed.
private struct Lehmer: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ state >> 31
  }
}

@Suite("Balanced sampler")
struct BalancedSamplerTests {
  private let sampler = BalancedSampler(count: 20, positiveFraction: 0.25)

  private func matches(positives: Int, negatives: Int, ignored: Int) -> [Int32] {
    (0..<positives + negatives + ignored).map {
      $0 < positives ? Int32($0) : $0 < positives + ignored ? Matcher.ignored : Matcher.background
    }
  }

  @Test("negatives fill up what positives leave", arguments: [0, 1, 4, 5, 6, 30])
  func counts(positives: Int) {
    var generator = Lehmer(state: 1)
    let matches = matches(positives: positives, negatives: 50, ignored: 7)
    let sample = sampler.sample(matches: matches, using: &generator)
    #expect(sample.positives.count == min(positives, 5))
    #expect(sample.negatives.count == 20 - sample.positives.count)
    #expect(sample.positives == Array(Set(sample.positives)).sorted())
    #expect(sample.negatives == Array(Set(sample.negatives)).sorted())
    #expect(sample.positives.allSatisfy { matches[$0] >= 0 })
    #expect(sample.negatives.allSatisfy { matches[$0] == Matcher.background })
  }

  @Test("too few of everything takes all, without random numbers")
  func few() {
    var generator = Lehmer(state: 1)
    let sample = sampler.sample(
      matches: matches(positives: 2, negatives: 3, ignored: 4), using: &generator)
    #expect(sample == BalancedSampler.Sample(positives: [0, 1], negatives: [6, 7, 8]))
    #expect(generator.state == 1)
  }

  @Test("the seed decides, and every candidate is drawn equally often")
  func uniform() {
    let matches = matches(positives: 10, negatives: 40, ignored: 0)
    var generator = Lehmer(state: 9)
    var again = Lehmer(state: 9)
    var drawn = [Int](repeating: 0, count: 50)
    for _ in 0..<4000 {
      let sample = sampler.sample(matches: matches, using: &generator)
      #expect(sample == sampler.sample(matches: matches, using: &again))
      for index in sample.positives + sample.negatives { drawn[index] += 1 }
    }
    // Means 2000 and 1500 with standard deviations of some 31.
    #expect(drawn[..<10].allSatisfy { abs($0 - 2000) < 160 })
    #expect(drawn[10...].allSatisfy { abs($0 - 1500) < 160 })
  }
}
