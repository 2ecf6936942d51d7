import Distribution
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite struct WatchdogTests {
  private static func settings(patience: Double, limit: Double) -> Watchdog.Settings {
    var settings = Watchdog.Settings()
    (settings.interval, settings.patience, settings.limit) = (0.05, patience, limit)
    return settings
  }

  @Test func theRankThatHangsIsNamedAndTheRunEnded() {
    let told = Told()
    let outcomes = ThreadWorld.outcomes(3, hosts: ["a", "b", "b"]) { world in
      let watchdog = try Watchdog(world, settings: Self.settings(patience: 0.5, limit: 1.5)) {
        told.add($0)
      }
      defer { watchdog.stop() }
      world.progress.enter("step", iteration: 12)
      if world.rank == 1 {
        world.progress.enter("data wait")
        Thread.sleep(forTimeInterval: 4)
      }
      try world.barrier(Exchange("losses", 12))
    }
    for rank in [0, 2] {
      #expect(throws: WorldError.aborted(code: 75)) { try outcomes[rank].get() }
    }
    #expect(told.lines.count == 2)
    #expect(told.lines.first?.hasSuffix("rank 1 on host b: data wait, iteration 12") == true)
    #expect(told.lines.last?.contains("(--hang-limit 1)") == true)
  }

  @Test func aSlowStepIsNoHang() throws {
    let told = Told()
    try ThreadWorld.run(2) { world in
      let watchdog = try Watchdog(world, settings: Self.settings(patience: 1, limit: 2)) {
        told.add($0)
      }
      defer { watchdog.stop() }
      for step in 0..<12 {
        Thread.sleep(forTimeInterval: world.rank == 1 ? 0.25 : 0)
        try world.barrier(Exchange("step", step))
      }
    }
    #expect(told.lines.isEmpty)
  }

  @Test func otherActivityCountsAsProgress() throws {
    let told = Told()
    let compiled = Atomic(0)
    try ThreadWorld.run(2) { world in
      let watchdog = try Watchdog(
        world, settings: Self.settings(patience: 0.6, limit: 1.2),
        activity: { .init(beats: compiled.load(ordering: .relaxed), phase: "compiling") }
      ) { told.add($0) }
      defer { watchdog.stop() }
      for _ in 0..<10 where world.rank == 0 {
        Thread.sleep(forTimeInterval: 0.2)
        compiled.add(1, ordering: .relaxed)
      }
      try world.barrier(Exchange("step"))
    }
    #expect(told.lines.isEmpty)
  }

  private final class Told: Sendable {
    private let all = Mutex([String]())
    var lines: [String] { all.withLock { $0 } }
    func add(_ verdict: Lookout.Verdict) {
      let text =
        switch verdict {
        case .warn(let text), .goesOn(let text), .end(let text): text
        }
      all.withLock { $0.append(text) }
    }
  }
}
