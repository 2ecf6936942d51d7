import Distribution
import TestSupport
import Testing

@Suite struct RankTimingsTests {
  @Test func sumsAreCheckedAndTheSameOnAllRanks() throws {
    let rows = try ThreadWorld.run(3) { world in
      let timings = RankTimings(world)
      return [
        try timings.gradients(bytes: 1 << 12, repeats: 3),
        try timings.statistics(count: 129, repeats: 3),
        try timings.statistics(count: 129, repeats: 3, beside: 1 << 14),
      ]
    }
    #expect(rows[0] == rows[1] && rows[1] == rows[2])
    #expect(rows[0].map(\.bytes) == [4096, 1032, 1032])
    #expect(rows[0].allSatisfy { $0.isRight && $0.seconds > 0 })
  }
}
