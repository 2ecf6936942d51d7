import Testing

@testable import Distribution

@Suite struct LookoutTests {
  private func lookout(_ names: Int = 3, limit: Double = 600) -> Lookout {
    Lookout(
      names: (0..<names).map { "rank \($0) on host b" }, patience: 60, limit: limit, interval: 5,
      now: 0)
  }

  private func sign(
    _ beats: Int, _ phase: String, iteration: Int = 7, at exchange: String? = nil
  ) -> SignOfLife {
    var moment = RankProgress.Moment()
    (moment.beats, moment.phase, moment.iteration) = (beats, phase, iteration)
    if let exchange { moment.exchanges[Lane.statistics.rawValue] = Exchange(exchange) }
    return SignOfLife(moment)
  }

  @Test func aRankThatStandsStillIsNamedOnceWithItsPlace() {
    var lookout = lookout()
    for time in stride(from: 0.0, through: 80, by: 5) {
      for rank in [0, 2] {
        lookout.hear(sign(4, "backward", at: "layer1"), from: rank, at: time)
      }
      lookout.hear(sign(4, "data wait"), from: 1, at: time)
      let verdict = lookout.verdict(at: time)
      if time == 65 {
        #expect(
          verdict
            == .warn("nothing has gone on for 65 s: rank 1 on host b: data wait, iteration 7"))
      } else {
        #expect(verdict == nil)
      }
    }
    lookout.hear(sign(5, "step"), from: 1, at: 85)
    #expect(lookout.verdict(at: 85) == .goesOn("training goes on"))
    #expect(lookout.verdict(at: 90) == nil)
  }

  @Test func aRankWithoutASignIsNamedAsSuch() {
    var lookout = lookout()
    for time in stride(from: 0.0, through: 65, by: 5) {
      for rank in 0..<3 where rank != 2 || time < 10 {
        lookout.hear(sign(4, "backward", at: "layer1"), from: rank, at: time)
      }
    }
    #expect(
      lookout.verdict(at: 65)
        == .warn("nothing has gone on for 65 s: no sign of life from rank 2 on host b for 60 s"))
  }

  @Test func theRunEndsAtTheLimitAndNeverWithoutOne() {
    for limit in [600.0, 0] {
      var lookout = lookout(limit: limit)
      for time in stride(from: 0.0, through: 700, by: 5) {
        for rank in 0..<3 { lookout.hear(sign(1, "scoring"), from: rank, at: time) }
      }
      _ = lookout.verdict(at: 600)
      let verdict = lookout.verdict(at: 700)
      if limit == 0 {
        #expect(verdict == nil)
      } else {
        guard case .end(let text) = verdict else {
          Issue.record("\(String(describing: verdict))")
          continue
        }
        #expect(text.hasPrefix("nothing has gone on for 700 s (--hang-limit 600): rank 0"))
      }
    }
  }

  @Test func someoneWhoWorksKeepsTheOthersQuiet() {
    var lookout = lookout()
    for time in stride(from: 0.0, through: 900, by: 5) {
      lookout.hear(sign(Int(time), "scoring"), from: 0, at: time)
      for rank in 1..<3 { lookout.hear(sign(1, "evaluating", at: "score"), from: rank, at: time) }
      #expect(lookout.verdict(at: time) == nil)
    }
  }

  @Test func ranksThatWaitForEachOtherAreTold() {
    var lookout = lookout(2)
    lookout.hear(sign(1, "step", iteration: 8, at: "losses"), from: 0, at: 61)
    lookout.hear(sign(1, "step", iteration: 7, at: "layer4"), from: 1, at: 61)
    _ = lookout.verdict(at: 61)
    lookout.hear(sign(1, "step", iteration: 8, at: "losses"), from: 0, at: 125)
    lookout.hear(sign(1, "step", iteration: 7, at: "layer4"), from: 1, at: 125)
    #expect(
      lookout.verdict(at: 125)
        == .warn(
          "nothing has gone on for 64 s: rank 1 on host b: step, waits at 'layer4', iteration 7"))
  }
}
