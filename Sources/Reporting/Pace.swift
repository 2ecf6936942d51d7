/// What a step of a long task takes, told from the last ones.
///
/// The first step is left out as soon as there are others: it compiles and reserves what is needed once.
/// A few steps that take much longer than the usual one, because more is compiled or something else is
/// done between, count as three usual ones.
struct Pace {
  /// Steps that took so many times the usual count as that many usual ones.
  private static let mostUsual = 3.0
  /// How many of the last parts count: enough for a mean, few enough to follow the machine's load.
  private static let window = 200

  private let hasSlowStart: Bool
  private var step: Int
  private var time: Double
  private var parts: [(steps: Int, seconds: Double)] = []
  private var seen = 0

  /// Starts at a step and a time in seconds.
  init(from step: Int, at time: Double, hasSlowStart: Bool) {
    (self.step, self.time, self.hasSlowStart) = (step, time, hasSlowStart)
  }

  /// Notes that a step is done.
  mutating func reach(_ step: Int, at time: Double) {
    guard step > self.step else { return }
    let part = (steps: step - self.step, seconds: max(0, time - self.time))
    (self.step, self.time) = (step, time)
    // The first part is no measure of the others.
    if seen == 1 { parts.removeAll() }
    seen += 1
    parts.append(part)
    if parts.count > Self.window { parts.removeFirst() }
  }

  /// The time left out between steps, for an evaluation that has a line of its own.
  mutating func resume(at time: Double) { self.time = time }

  /// Seconds of a step; nil while nothing can be said.
  var secondsPerStep: Double? {
    guard seen > (hasSlowStart ? 1 : 0) else { return nil }
    let single = parts.map { $0.seconds / Double($0.steps) }.sorted()
    let usual = single[single.count / 2]
    let steps = parts.reduce(0) { $0 + $1.steps }
    let seconds = parts.reduce(0) {
      $0 + min($1.seconds, Self.mostUsual * usual * Double($1.steps))
    }
    return seconds / Double(steps)
  }
}
