import Distribution
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite struct ThreadWorldTests {
  @Test(arguments: [1, 2, 3, 4]) func sumsAreTheSameBitsOnAllRanks(size: Int) throws {
    let sums = try ThreadWorld.run(size) { world in
      var floats = (0..<1000).map { Float($0) / 7 + Float(world.rank) * 1e-3 }
      var doubles = [Double(world.rank + 1), .pi]
      try world.sum(&floats, Exchange("gradients", 3), on: .gradients)
      try world.sum(&doubles, Exchange("losses"))
      return (floats, doubles)
    }
    var expected = (0..<1000).map { Float($0) / 7 }
    for rank in 1..<max(2, size) where rank < size {
      for index in expected.indices { expected[index] += Float(index) / 7 + Float(rank) * 1e-3 }
    }
    for sum in sums {
      #expect(sum.0 == expected)
      #expect(sum.1 == [Double(size * (size + 1) / 2), sums[0].1[1]])
    }
  }

  @Test func bytesBitsAndNumbersReachWhomTheyShould() throws {
    let results = try ThreadWorld.run(3) { world in
      var highest = [Double(world.rank), Double(5 - world.rank)]
      try world.highest(&highest, Exchange("seconds"))
      var bits: [UInt64] = [1 << UInt64(world.rank), 8]
      try world.union(&bits, Exchange("reached"))
      let told = try world.broadcast([UInt8(world.rank), 7], Exchange("configuration"))
      let gathered = try world.gathered(
        Array(repeating: UInt8(world.rank), count: world.rank), Exchange("records"))
      try world.barrier(Exchange("written"))
      return "\(highest) \(bits) \(told) \(gathered)"
    }
    #expect(results[0] == "[2.0, 5.0] [7, 8] [0, 7] [[], [1], [2, 2]]")
    #expect(results[2] == "[2.0, 5.0] [7, 8] [0, 7] []")
  }

  @Test func everyRankLearnsWhichDiffer() throws {
    let different = try ThreadWorld.run(4) { world in
      try world.compared([world.rank % 2 == 1 ? 9 : 1], Exchange("weights"))
    }
    #expect(different == Array(repeating: [1, 3], count: 4))
  }

  @Test func ranksAtDifferentExchangesLearnBothNames() {
    let outcomes = ThreadWorld.outcomes(3) { world in
      var values = [1.0, 2.0]
      try world.sum(&values, Exchange(world.rank == 2 ? "layer1.bn2" : "layer1.bn1"))
    }
    for outcome in outcomes {
      let error = #expect(throws: WorldError.self) { try outcome.get() }
      #expect(
        error?.description.hasPrefix(
          "rank 0 is at the sum of doubles, 2 of them, 'layer1.bn1', but rank 2 at the sum of "
            + "doubles, 2 of them, 'layer1.bn2'") == true)
    }
  }

  @Test func differentSizesAndKindsAreToldToo() {
    for kind in 0...1 {
      let outcomes = ThreadWorld.outcomes(2) { world in
        var values = Array(repeating: 1.0, count: kind == 0 ? 2 + world.rank : 2)
        if kind == 0 || world.rank == 0 {
          try world.sum(&values, Exchange("losses", 5))
        } else {
          try world.highest(&values, Exchange("losses", 5))
        }
      }
      for outcome in outcomes {
        #expect(throws: WorldError.self) { try outcome.get() }
      }
    }
  }

  @Test func nobodyWaitsForARankThatHasEnded() {
    struct Broken: Error {}
    let outcomes = ThreadWorld.outcomes(3) { world in
      if world.rank == 1 { throw Broken() }
      try world.barrier(Exchange("step", 7))
    }
    for rank in [0, 2] {
      #expect(throws: WorldError.lost(rank: 1, exchange: "step 7")) { try outcomes[rank].get() }
    }
    #expect(throws: Broken.self) {
      try ThreadWorld.run(2) { world in
        if world.rank == 1 { throw Broken() }
        try world.barrier(Exchange("step"))
      }
    }
  }

  @Test func aRankThatHangsIsNamed() {
    let outcomes = ThreadWorld.outcomes(2, patience: 0.5) { world in
      if world.rank == 1 { return Thread.sleep(forTimeInterval: 1.5) }
      try world.barrier(Exchange("step", 2))
    }
    #expect(throws: WorldError.hangs(exchange: "step 2", missing: [1], seconds: 0.5)) {
      try outcomes[0].get()
    }
  }

  @Test func abortEndsThoseWhoWait() {
    let outcomes = ThreadWorld.outcomes(2) { world in
      if world.rank == 1 { return world.abort(code: 75) }
      try world.barrier(Exchange("step"))
    }
    #expect(throws: WorldError.self) { try outcomes[0].get() }
  }

  @Test func lanesDoNotDisturbEachOtherAndKeepTheirOrder() throws {
    let sums = try ThreadWorld.run(2) { world in
      let other = Mutex([Double]())
      try ThreadWorld.beside {
        for step in 0..<50 {
          var value = [Double(step)]
          try world.sum(&value, Exchange("bucket", step), on: .gradients)
          other.withLock { $0.append(value[0]) }
        }
      } and: {
        for step in 0..<50 {
          var value = [Double(step) * 10]
          try world.sum(&value, Exchange("layer", step))
          #expect(value == [Double(step) * 20])
        }
      }
      return other.withLock { $0 }
    }
    #expect(sums == Array(repeating: (0..<50).map { Double($0) * 2 }, count: 2))
  }

  @Test func hostsGiveNodeRanks() throws {
    let places = try ThreadWorld.run(3, hosts: ["a", "b", "a"]) { "\($0.node) \($0.host)" }
    #expect(
      places == [
        "NodePlace(rank: 0, size: 2) a", "NodePlace(rank: 0, size: 1) b",
        "NodePlace(rank: 1, size: 2) a",
      ])
  }

  @Test func notesComeToRank0() throws {
    let notes = try ThreadWorld.run(3) { world in
      try world.post([UInt8(world.rank)])
      try world.barrier(Exchange("posted"))
      return world.posted().map { "\($0.rank) \($0.note)" }.sorted()
    }
    #expect(notes == [["0 [0]", "1 [1]", "2 [2]"], [], []])
  }
}
