import Testing

@testable import Reporting

@Suite struct PaceTests {
  /// What is told after each of some steps, given what each takes.
  private func told(_ seconds: [Double], hasSlowStart: Bool = true) -> [Double?] {
    var pace = Pace(from: 0, at: 100, hasSlowStart: hasSlowStart)
    var time = 100.0
    return seconds.enumerated().map { step, seconds in
      time += seconds
      pace.reach(step + 1, at: time)
      return pace.secondsPerStep
    }
  }

  @Test func theFirstStepSaysNothingOfTheOthers() {
    #expect(told([90, 1, 1, 1]) == [nil, 1, 1, 1])
    #expect(told([90, 1], hasSlowStart: false) == [90, 1])
  }

  /// A cold start: the first step compiles for minutes, some later ones bring new sizes.
  @Test func fromStep25OnTheTimeLeftIsRightWithinAFactorOfTwo() throws {
    var steps = [150.0, 20, 0.5, 8, 0.5, 0.5, 4]
    while steps.count < 400 { steps.append(steps.count % 60 == 0 ? 2.5 : 0.5) }
    let pace = told(steps)
    for done in 25..<390 {
      let left = steps[done...].reduce(0, +)
      let told = try #require(pace[done - 1]) * Double(steps.count - done)
      #expect(told < 2 * left && left < 2 * told, "after \(done): \(told) instead of \(left)")
    }
  }

  @Test func aChangeOfPaceIsFollowed() throws {
    let pace = told([Double](repeating: 1, count: 300) + [Double](repeating: 2, count: 250))
    #expect(try abs(#require(pace[549]) - 2) < 0.01)
  }

  @Test func anEvaluationBetweenIsNoStep() {
    var pace = Pace(from: 10, at: 0, hasSlowStart: false)
    pace.reach(11, at: 1)
    pace.reach(12, at: 2)
    pace.resume(at: 500)
    pace.reach(13, at: 501)
    #expect(pace.secondsPerStep == 1)
  }
}
