import TestSupport
import Testing

@testable import Training

@Suite("Schedule")
struct ScheduleTests {
  @Test(.enabled(if: Fixture.available, "needs the fixture set"))
  func ratesAreThoseOfThePeer() throws {
    let fixture = try Fixture("optim/lr_schedule.safetensors")
    var checked = 0
    // Each set of parameters has its rates, at listed iterations or else at all of them.
    for (name, params) in fixture.params.object ?? [:] {
      let schedule = Schedule(
        peak: try #require(params["lr"]?.number),
        warmupIterations: try #require(params["warm"]?.integer),
        warmupFactor: try #require(params["start"]?.number),
        milestones: try #require(params["miles"]?.array).compactMap(\.integer))
      let key = fixture.has("\(name)_lr") ? "\(name)_lr" : "lr_\(name)"
      let wanted = try fixture.floats(key)
      let iterations =
        fixture.has("\(name)_iterations")
        ? try fixture.integers("\(name)_iterations").map(Int.init) : Array(wanted.indices)
      expectClose(
        iterations.map { schedule.rate(at: $0) }, wanted, relative: fixture.relative,
        absolute: fixture.absolute, name)
      checked += 1
    }
    #expect(checked > 0)
  }

  @Test func publishedRates() {
    let schedule = Schedule(RunConfiguration.Optimizer(), iterations: 90_000)
    let wanted = [
      (0, 4.0e-5), (500, 0.02004), (998, 0.03996), (999, 0.04), (59_999, 0.04), (60_000, 0.004),
      (80_000, 0.0004), (89_999, 0.0004),
    ]
    for (iteration, rate) in wanted {
      #expect(abs(schedule.rate(at: iteration) - rate) < 1e-3 * rate)
    }
  }

  @Test func anotherBatchScalesOnlyWhenAsked() {
    var run = RunConfiguration()
    run.training.detectionBatch = 8
    #expect(Schedule(run.optimizer, iterations: 90_000).peak == 0.04)
    let (scaled, summary) = run.scaledToBatch()
    #expect(scaled.optimizer.rate == 0.01)
    #expect(scaled.training.iterations == 360_000)
    #expect(scaled.optimizer.milestones == [240_000, 320_000])
    #expect(scaled.optimizer.warmupIterations == 4000)
    #expect(scaled.foreignReferenceBatch == nil)
    #expect(summary.contains("rate 0.04 -> 0.01") && summary.contains("8 instead of 32"))
    #expect(scaled.scaledToBatch().configuration == scaled)
    run.optimizer.referenceBatch = 0
    #expect(run.scaledToBatch().configuration == run)
  }

  @Test(arguments: [0, 1]) func withoutWarmupTheFirstRateIsFull(iterations: Int) {
    let schedule = Schedule(
      peak: 2, warmupIterations: iterations, warmupFactor: 0.5, milestones: [], factor: 0.5)
    #expect(schedule.rate(at: 0) == 2)
  }

  @Test func milestonesMayLieInTheWarmup() {
    let schedule = Schedule(
      peak: 1, warmupIterations: 5, warmupFactor: 0, milestones: [2, 4], factor: 0.5)
    #expect((0..<6).map { schedule.rate(at: $0) } == [0, 0.25, 0.25, 0.375, 0.25, 0.25])
  }

  @Test func cosineFallsToZero() {
    let schedule = Schedule(
      peak: 2, warmupIterations: 11, warmupFactor: 0.1, cosineIterations: 111)
    let wanted = [
      (0, 0.2), (5, 1.1), (10, 2), (11, 2), (36, 1 + 0.5.squareRoot()), (61, 1),
      (86, 1 - 0.5.squareRoot()), (111, 0), (200, 0),
    ]
    for (iteration, rate) in wanted {
      #expect(abs(schedule.rate(at: iteration) - rate) < 1e-12, "iteration \(iteration)")
    }
  }

  @Test func configurationChoosesTheCosine() {
    var optimizer = RunConfiguration.Optimizer()
    optimizer.decay = .cosine
    let schedule = Schedule(optimizer, iterations: 90_000)
    #expect(schedule.milestones.isEmpty)
    #expect(schedule.rate(at: 45_500) < 0.0201 && schedule.rate(at: 45_500) > 0.0199)
  }
}
