import Formats
import Foundation
import Synchronization

/// A thread of each rank that tells rank 0 where the rank is; rank 0's names those that hang.
package final class Watchdog: Sendable {
  /// What is told and when.
  package struct Settings: Sendable {
    /// Seconds between signs of life.
    package var interval = 5.0
    /// Seconds without progress after which it is told.
    package var patience = 60.0
    /// Seconds without progress after which the run is ended with ``Watchdog/code``; 0 for never.
    package var limit = 600.0

    package init() {}
  }

  /// What a rank does beside what its training thread says.
  package struct Activity: Sendable {
    /// Changes while the rank works though no phase ends.
    let beats: Int
    /// What it is busy with, where that says more than the phase.
    let phase: String?

    package init(beats: Int = 0, phase: String? = nil) {
      self.beats = beats
      self.phase = phase
    }
  }

  /// The exit code of a run that may be started again.
  package static let code: Int32 = 75

  private let world: any World
  private let settings: Settings
  private let hosts: [String]
  private let activity: @Sendable () -> Activity
  private let tell: @Sendable (Lookout.Verdict) -> Void
  private let stopping = Atomic(false)
  private let ended = DispatchSemaphore(value: 0)

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - world: The ranks; nobody else uses its lane `control`.
  ///   - settings: Times.
  ///   - activity: What else the rank does, asked on the thread.
  ///   - tell: Gets what is found, on the thread; after ``Lookout/Verdict/end(_:)`` all ranks are ended.
  /// - Throws: ``WorldError``.
  package init(
    _ world: any World, settings: Settings = Settings(),
    activity: @escaping @Sendable () -> Activity = { Activity() },
    tell: @escaping @Sendable (Lookout.Verdict) -> Void
  ) throws(WorldError) {
    self.world = world
    self.settings = settings
    self.activity = activity
    self.tell = tell
    hosts = try world.gathered(Array(world.host.utf8), Exchange("hosts"))
      .map { String(decoding: $0, as: UTF8.self) }
    Thread.detachNewThread { [self] in
      watch()
      ended.signal()
    }
  }

  /// Ends the thread and waits for that, before the world is closed.
  package func stop() {
    guard !stopping.exchange(true, ordering: .relaxed) else { return }
    ended.wait()
  }

  private func watch() {
    let start = MonotonicClock.seconds
    var lookout =
      world.rank == 0
      ? Lookout(
        names: hosts.enumerated().map { "rank \($0.offset) on host \($0.element)" },
        patience: settings.patience, limit: settings.limit,
        interval: settings.interval, now: start)
      // Rank 0 speaks for all; the others end only when it is gone itself.
      : Lookout(
        names: ["rank \(world.rank) on host \(world.host)"], patience: .infinity,
        limit: settings.limit > 0 ? settings.limit + 4 * settings.interval : 0,
        interval: settings.interval, now: start)
    var next = start
    while !stopping.load(ordering: .relaxed) {
      usleep(20_000)
      let now = MonotonicClock.seconds
      guard now >= next else { continue }
      next = now + settings.interval
      let sign = SignOfLife(world.progress.now, activity())
      // A world that fails is told by the thread that trains.
      guard (try? look(&lookout, sign, now)) != nil else { return }
    }
  }

  private func look(
    _ lookout: inout Lookout, _ sign: SignOfLife, _ now: Double
  ) throws(WorldError) {
    if world.rank == 0 {
      lookout.hear(sign, from: 0, at: now)
      for (rank, note) in try world.posted() {
        if let sign = SignOfLife(note) { lookout.hear(sign, from: rank, at: now) }
      }
    } else {
      lookout.hear(sign, from: 0, at: now)
      try world.post(sign.bytes)
    }
    guard let verdict = lookout.verdict(at: now) else { return }
    if case .end(let text) = verdict {
      tell(world.rank == 0 ? verdict : .end("\(text), and rank 0 does not end the run"))
      world.abort(code: Self.code)
      throw .aborted(code: Self.code)
    }
    if world.rank == 0 { tell(verdict) }
  }
}
