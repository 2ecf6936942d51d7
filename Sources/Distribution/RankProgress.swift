import Formats
import Synchronization

/// Where a rank is: what its training thread does, which exchanges it waits at, and since when.
///
/// Whoever works says so here; the watchdog reads it from its own thread.
package final class RankProgress: Sendable {
  /// A view of it at one moment.
  package struct Moment: Sendable, Equatable {
    package var iteration = 0
    /// What the training thread does, "data wait" for example.
    package var phase = "setting up"
    /// Counts whatever goes on: phases, exchanges.
    package var beats = 0
    /// The exchange at which a lane waits for the other ranks, by lane.
    package var exchanges: [Exchange?] = Lane.allCases.map { _ in nil }
    /// Seconds that a lane has spent in exchanges, by lane.
    package var waited = [Double](repeating: 0, count: Lane.allCases.count)
    /// Seconds that the communication thread was busy, and that the device had nothing to compute before
    /// it was done.
    package var exchanged = 0.0
    package var stalled = 0.0

    package init() {}
  }

  private let moment = Mutex(Moment())

  package init() {}

  /// What it is now.
  package var now: Moment { moment.withLock { $0 } }

  /// Says what the training thread does from now on.
  ///
  /// - Parameters:
  ///   - phase: In a few words.
  ///   - iteration: The step, where it is another than before.
  package func enter(_ phase: String, iteration: Int? = nil) {
    moment.withLock { moment in
      moment.phase = phase
      moment.iteration = iteration ?? moment.iteration
      moment.beats &+= 1
    }
  }

  /// Says that a long phase goes on.
  package func beat() { moment.withLock { $0.beats &+= 1 } }

  /// Adds to the seconds of exchanges beside the computation.
  ///
  /// - Parameters:
  ///   - exchanged: Seconds that the communication thread was busy.
  ///   - stalled: Seconds that the device had nothing to compute before it was done.
  package func count(exchanged: Double = 0, stalled: Double = 0) {
    moment.withLock { moment in
      moment.exchanged += exchanged
      moment.stalled += stalled
    }
  }

  /// Seconds that a lane has spent in exchanges since the start.
  ///
  /// - Parameter lane: The lane.
  package func waited(on lane: Lane) -> Double { moment.withLock { $0.waited[lane.rawValue] } }

  /// Runs an exchange of a lane.
  ///
  /// - Parameters:
  ///   - exchange: Which one.
  ///   - lane: The lane of the calling thread.
  ///   - body: What exchanges.
  /// - Returns: What `body` gives.
  /// - Throws: What `body` throws.
  package func during<Value>(
    _ exchange: Exchange, on lane: Lane, _ body: () throws(WorldError) -> Value
  ) throws(WorldError) -> Value {
    let began = MonotonicClock.seconds
    moment.withLock { $0.exchanges[lane.rawValue] = exchange }
    defer {
      let seconds = MonotonicClock.seconds - began
      moment.withLock { moment in
        moment.exchanges[lane.rawValue] = nil
        moment.waited[lane.rawValue] += seconds
        moment.beats &+= 1
      }
    }
    return try body()
  }
}
