import Distribution

extension World {
  /// What rank 0 says, on every rank.
  ///
  /// - Parameters:
  ///   - value: Rank 0's answer; not looked at elsewhere.
  ///   - question: What is decided.
  /// - Throws: `WorldError`.
  func decided(_ value: Bool, _ question: Exchange) throws -> Bool {
    try size == 1 ? value : broadcast([value ? 1 : 0], question) == [1]
  }

  /// Whether any rank says so, the same answer on every rank.
  ///
  /// - Parameters:
  ///   - value: This rank's answer.
  ///   - question: What is asked.
  /// - Throws: `WorldError`.
  func agreed(_ value: Bool, _ question: Exchange) throws -> Bool {
    guard size > 1 else { return value }
    var words: [UInt64] = [value ? 1 : 0]
    try union(&words, question)
    return words[0] != 0
  }
}

/// What ranks tell each other of a step, in one small sum whose result is the same everywhere.
///
/// These are sums of losses and counts, times, and whether one is asked to stop or has something to say.
struct StepAgreement {
  /// Seconds of the step on the fastest and on the slowest rank.
  private(set) var seconds: ClosedRange<Double>
  /// The largest share of a step that a rank waited for data.
  private(set) var waitShare: Double
  /// Whether any rank was asked to stop.
  private(set) var stops: Bool
  /// Whether any rank has something to say.
  private(set) var hasMessages: Bool

  /// For the log.
  var measures: [String: Double] {
    ["step_seconds_min": seconds.lowerBound, "step_seconds_max": seconds.upperBound]
  }

  /// Adds up what the replicas of all ranks gave.
  ///
  /// - Parameters:
  ///   - scalars: Sums over the replicas of this rank; changes to sums over all.
  ///   - counts: Likewise.
  ///   - time: What the step took here.
  ///   - stops: Whether this rank is asked to stop.
  ///   - hasMessages: Whether it has something to say.
  ///   - world: The processes.
  ///   - iteration: The step.
  /// - Throws: `WorldError`.
  init(
    _ scalars: inout StepScalars, counts: inout [String: Int],
    time: (seconds: Double, waitShare: Double), stops: Bool, hasMessages: Bool,
    among world: any World, iteration: Int
  ) throws {
    self.seconds = time.seconds...time.seconds
    waitShare = time.waitShare
    self.stops = stops
    self.hasMessages = hasMessages
    guard world.size > 1 else { return }
    let names = (
      losses: scalars.losses.keys.sorted(), measures: scalars.measures.keys.sorted(),
      counts: counts.keys.sorted()
    )
    var sums: [Double] = [stops ? 1 : 0, hasMessages ? 1 : 0, scalars.total]
    sums += names.losses.map { scalars.losses[$0] ?? 0 }
    sums += names.measures.map { scalars.measures[$0] ?? 0 }
    sums += names.counts.map { Double(counts[$0] ?? 0) }
    // Each rank has places of its own for what is not added up.
    var times = [Double](repeating: 0, count: 2 * world.size)
    times[2 * world.rank] = time.seconds
    times[2 * world.rank + 1] = time.waitShare
    sums += times
    try world.sum(&sums, Exchange("losses", iteration))
    var rest = sums[...]
    func next() -> Double { rest.popFirst() ?? .nan }
    self.stops = next() > 0
    self.hasMessages = next() > 0
    scalars.total = next()
    for name in names.losses { scalars.losses[name] = next() }
    for name in names.measures { scalars.measures[name] = next() }
    for name in names.counts { counts[name] = Int(next()) }
    let all = (0..<world.size).map { _ in (seconds: next(), waitShare: next()) }
    let (least, most) = (all.map(\.seconds).min() ?? 0, all.map(\.seconds).max() ?? 0)
    seconds = least...max(least, most)
    waitShare = all.map(\.waitShare).max() ?? 0
  }
}
