import Distribution
import TestSupport
import Testing

@Suite struct FaultyWorldTests {
  @Test func aSlowRankChangesNoSum() throws {
    let sums = try ThreadWorld.run(2) { world in
      let faulty = FaultyWorld(world) { exchange, _ in
        exchange.number == world.rank ? .delay(seconds: 0.1) : nil
      }
      var value = [1.0]
      for step in 0..<3 { try faulty.sum(&value, Exchange("step", step)) }
      return value
    }
    #expect(sums == [[8], [8]])
  }

  @Test func aFailingRankEndsTheOthers() {
    let outcomes = ThreadWorld.outcomes(3) { world in
      let faulty = FaultyWorld(world) { _, before in
        world.rank == 1 && before == 2
          ? .fail(.call(name: "MPI_Allreduce", exchange: "step", reason: "no route")) : nil
      }
      for step in 0..<5 { try faulty.barrier(Exchange("step", step)) }
    }
    #expect(throws: WorldError.call(name: "MPI_Allreduce", exchange: "step", reason: "no route")) {
      try outcomes[1].get()
    }
    for rank in [0, 2] {
      #expect(throws: WorldError.lost(rank: 1, exchange: "step 2")) { try outcomes[rank].get() }
    }
  }

  @Test func anEndedWorldEndsEverywhere() {
    let outcomes = ThreadWorld.outcomes(2) { world in
      let faulty = FaultyWorld(world) { _, before in
        world.rank == 0 && before == 1 ? .end(code: 75) : nil
      }
      for step in 0..<5 { try faulty.barrier(Exchange("step", step)) }
    }
    for outcome in outcomes {
      #expect(throws: WorldError.aborted(code: 75)) { try outcome.get() }
    }
  }
}
