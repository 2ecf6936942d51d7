/// Tells what each step took, though the next one starts before its losses arrive.
struct StepClock {
  private var lastArrival = 0.0

  /// What a step took; all times in seconds of one clock.
  ///
  /// - Parameters:
  ///   - started: When the host began with it.
  ///   - waited: How long the host then waited for data.
  ///   - arrived: When the device had its losses.
  /// - Returns: The time since the device had the losses of the step before, and the share of it
  ///   that the host waited for data, in 0...1.
  mutating func measure(
    started: Double, waited: Double, arrived: Double
  ) -> (seconds: Double, waitShare: Double) {
    // Steps overlap; after a checkpoint or an evaluation they do not.
    let begin = max(started, lastArrival)
    lastArrival = max(arrived, begin)
    let seconds = max(arrived - begin, 1e-9)
    // While the device still worked on the step before, waiting cost nothing.
    let lost = min(started + waited, arrived) - begin
    return (seconds, min(1, max(0, lost / seconds)))
  }
}
