import Formats
import Testing

@Suite struct CounterRandomTests {
  @Test func sequencesAreRepeatableAndApart() {
    func draw(_ seed: UInt64, _ first: UInt64, _ second: UInt64) -> [UInt64] {
      var random = CounterRandom(seed: seed, first, second)
      return (0..<50).map { _ in random.nextUInt64() }
    }
    #expect(draw(1, 2, 3) == draw(1, 2, 3))
    let all = [draw(1, 2, 3), draw(1, 3, 2), draw(2, 1, 3), draw(0, 0, 0), draw(0, 0, 1)]
    #expect(Set(all.joined()).count == 250)
  }

  @Test func numbersStayTheSameInEveryRelease() {
    // Computed with another program: a change here would change every training run.
    var random = CounterRandom(seed: 1, CounterRandom.key("flip"), 7)
    #expect(CounterRandom.key("flip") == 0xD5D7_CD79_0875_3E46)
    #expect(random.nextUInt64() == 6_320_900_487_363_453_214)
    #expect(random.nextUInt64() == 8_345_086_592_436_759_062)
  }

  @Test func momentsAreThoseOfTheDistributions() {
    var random = CounterRandom(seed: 5)
    let count = 20_000
    let uniform = (0..<count).map { _ in random.uniform() }
    #expect(uniform.allSatisfy { $0 >= 0 && $0 < 1 })
    #expect(abs(uniform.reduce(0, +) / Double(count) - 0.5) < 0.015)
    let normal = (0..<count).map { _ in random.normal() }
    #expect(abs(normal.reduce(0, +) / Double(count)) < 0.05)
    #expect(abs(normal.reduce(0) { $0 + $1 * $1 } / Double(count) - 1) < 0.06)
    var counts = [0, 0, 0, 0, 0]
    for _ in 0..<count { counts[random.integer(below: 5)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 4000) < 350 })
    #expect(random.integer(below: 1) == 0)
  }

  @Test func shuffleIsAPermutation() {
    var random = CounterRandom(seed: 9)
    var order = Array(0..<1000)
    random.shuffle(&order)
    #expect(order != Array(0..<1000) && order.sorted() == Array(0..<1000))
    var single = [4]
    random.shuffle(&single)
    #expect(single == [4])
  }
}
