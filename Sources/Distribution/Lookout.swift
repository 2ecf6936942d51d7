/// Judges by the signs of life of all ranks whether training goes on, and who keeps it from that.
package struct Lookout {
  /// What is to be done.
  package enum Verdict: Equatable {
    /// To be told.
    case warn(String)
    /// It goes on after a warning.
    case goesOn(String)
    /// The run has to be ended.
    case end(String)
  }

  private struct Rank {
    var sign: SignOfLife?
    /// When the last sign came, and the last that showed progress.
    var heard: Double
    var moved: Double
  }

  private let names: [String]
  /// Seconds without progress after which it is told.
  private let patience: Double
  /// Seconds without progress after which the run is ended; 0 for never.
  private let limit: Double
  /// Seconds without a sign after which a rank is taken to be gone.
  private let silence: Double
  private var ranks: [Rank]
  private var hasWarned = false

  /// Begins to look.
  ///
  /// - Parameters:
  ///   - names: What each rank is called, "rank 5 on host b".
  ///   - patience: Seconds without progress after which it is told.
  ///   - limit: Seconds without progress after which the run is ended; 0 for never.
  ///   - interval: Seconds between a rank's signs.
  ///   - now: The time in seconds.
  package init(names: [String], patience: Double, limit: Double, interval: Double, now: Double) {
    self.names = names
    self.patience = patience
    self.limit = limit
    silence = 3 * interval
    ranks = names.map { _ in Rank(heard: now, moved: now) }
  }

  /// Takes a rank's sign.
  ///
  /// - Parameters:
  ///   - sign: The sign.
  ///   - rank: Whose it is.
  ///   - now: The time in seconds.
  package mutating func hear(_ sign: SignOfLife, from rank: Int, at now: Double) {
    guard ranks.indices.contains(rank) else { return }
    if ranks[rank].sign?.beats != sign.beats { ranks[rank].moved = now }
    ranks[rank].heard = now
    ranks[rank].sign = sign
  }

  /// What is to be done now; each thing is told once.
  ///
  /// - Parameter now: The time in seconds.
  package mutating func verdict(at now: Double) -> Verdict? {
    // One rank alone cannot go on for long: what it needs from others does not come.
    let moved = ranks.map(\.moved).max() ?? now
    let seconds = now - moved
    if limit > 0, seconds > limit {
      return .end(
        "nothing has gone on for \(Int(seconds)) s (--hang-limit \(Int(limit))): \(culprits(now))")
    }
    if seconds > patience, !hasWarned {
      hasWarned = true
      return .warn("nothing has gone on for \(Int(seconds)) s: \(culprits(now))")
    }
    if seconds < patience, hasWarned {
      hasWarned = false
      return .goesOn("training goes on")
    }
    return nil
  }

  /// Who keeps the others waiting, and where.
  private func culprits(_ now: Double) -> String {
    let silent = ranks.indices.filter { now - ranks[$0].heard > silence }
    if !silent.isEmpty {
      return listed(silent) {
        "no sign of life from \(names[$0]) for \(Int(now - ranks[$0].heard)) s"
      }
    }
    let working = ranks.indices.filter { ranks[$0].sign?.isWaiting == false }
    if !working.isEmpty { return listed(working, place) }
    // All wait: those that are a step behind, else all of them.
    let least = ranks.compactMap { $0.sign?.iteration }.min()
    let behind = ranks.indices.filter { ranks[$0].sign?.iteration == least }
    return listed(behind, place)
  }

  private func place(_ rank: Int) -> String {
    guard let sign = ranks[rank].sign else { return names[rank] }
    return "\(names[rank]): \(sign.place), iteration \(sign.iteration)"
  }

  /// The first few of some ranks.
  private func listed(_ ranks: [Int], _ text: (Int) -> String) -> String {
    let shown = ranks.prefix(3).map(text).joined(separator: "; ")
    return ranks.count > 3 ? "\(shown); and \(ranks.count - 3) more" : shown
  }
}
