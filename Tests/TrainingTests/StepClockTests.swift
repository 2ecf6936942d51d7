import Testing

@testable import Training

@Suite("Step clock")
struct StepClockTests {
  @Test func stepsThatOverlapTakeTheTimeBetweenTheirLosses() {
    var clock = StepClock()
    // The second step starts while the device works on the first one.
    let first = clock.measure(started: 10, waited: 0.5, arrived: 12)
    #expect(first.seconds == 2 && first.waitShare == 0.25)
    let second = clock.measure(started: 11, waited: 0.5, arrived: 14)
    // The half second of waiting was over before the first one's losses arrived.
    #expect(second.seconds == 2 && second.waitShare == 0)
  }

  @Test func aCheckpointBetweenTwoStepsIsNoPartOfThem() {
    var clock = StepClock()
    _ = clock.measure(started: 0, waited: 0, arrived: 2)
    let next = clock.measure(started: 100, waited: 1, arrived: 104)
    #expect(next.seconds == 4 && next.waitShare == 0.25)
  }

  @Test func sharesStayShares() {
    var clock = StepClock()
    _ = clock.measure(started: 0, waited: 0, arrived: 5)
    // The losses are seen at once, as after a checkpoint that waited for the device.
    let odd = clock.measure(started: 1, waited: 10, arrived: 5)
    #expect(odd.seconds > 0 && (0...1).contains(odd.waitShare))
    let longer = clock.measure(started: 6, waited: 10, arrived: 8)
    #expect(longer.seconds == 2 && longer.waitShare == 1)
  }
}
