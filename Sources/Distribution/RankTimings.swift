import Formats
import Foundation
import Synchronization

/// How long exchanges of some ranks take, and whether their sums are right.
///
/// Every rank has to make the same calls; all get the same answer.
package struct RankTimings: Sendable {
  /// An exchange of one size.
  package struct Row: Sendable, Equatable {
    package let lane: Lane
    package let bytes: Int
    /// The median over repeats of the slowest rank's time.
    package let seconds: Double
    /// Whether all ranks got the right sum.
    package let isRight: Bool

    /// How many bytes of a rank are summed in a second.
    package var bytesPerSecond: Double { Double(bytes) / max(seconds, 1e-9) }
  }

  private let world: any World

  package init(_ world: any World) { self.world = world }

  /// Times sums of gradients.
  ///
  /// - Parameters:
  ///   - bytes: Bytes of a rank, a multiple of 4.
  ///   - repeats: How often.
  /// - Throws: ``WorldError``.
  package func gradients(bytes: Int, repeats: Int) throws(WorldError) -> Row {
    let count = bytes / 4
    var values = [Float](repeating: 0, count: count)
    let exchange = Exchange("timing of gradients", count)
    return try row(.gradients, bytes, repeats) { () throws(WorldError) -> Bool in
      for index in values.indices { values[index] = Float(index % 64 + world.rank) }
      let began = try start()
      try world.sum(&values, exchange, on: .gradients)
      time(since: began)
      return values.indices.allSatisfy {
        values[$0] == Float($0 % 64 * world.size + offset)
      }
    }
  }

  /// Times sums of statistics.
  ///
  /// - Parameters:
  ///   - count: Numbers of an exchange.
  ///   - repeats: How often.
  /// - Throws: ``WorldError``.
  package func statistics(count: Int, repeats: Int) throws(WorldError) -> Row {
    var values = [Double](repeating: 0, count: count)
    let exchange = Exchange("timing of statistics", count)
    return try row(.statistics, 8 * count, repeats) { () throws(WorldError) -> Bool in
      for index in values.indices { values[index] = Double(index + world.rank) }
      let began = try start()
      try world.sum(&values, exchange)
      time(since: began)
      return values.indices.allSatisfy { values[$0] == Double($0 * world.size + offset) }
    }
  }

  /// The sum of all ranks' numbers.
  private var offset: Int { world.size * (world.size - 1) / 2 }

  /// Times sums of statistics while another thread sums gradients.
  ///
  /// - Parameters:
  ///   - count: Numbers of an exchange.
  ///   - repeats: How often.
  ///   - gradients: Bytes of the gradients' sums.
  /// - Throws: ``WorldError``.
  package func statistics(
    count: Int, repeats: Int, beside gradients: Int
  ) throws(WorldError) -> Row {
    let failure = Mutex<WorldError?>(nil)
    let isDone = Atomic(false)
    let ended = DispatchSemaphore(value: 0)
    Thread.detachNewThread { [world] in
      do throws(WorldError) {
        var values = [Float](repeating: 1, count: gradients / 4)
        var goesOn = [1.0]
        // All ranks stop after the same sum.
        while goesOn[0] > 0 {
          try world.sum(&values, Exchange("timing of gradients beside"), on: .gradients)
          for index in values.indices { values[index] = 1 }
          goesOn[0] = isDone.load(ordering: .relaxed) ? 0 : 1
          try world.highest(&goesOn, Exchange("end of timing"), on: .gradients)
        }
      } catch {
        failure.withLock { $0 = error }
      }
      ended.signal()
    }
    let row: Row
    do throws(WorldError) {
      row = try statistics(count: count, repeats: repeats)
    } catch {
      isDone.store(true, ordering: .relaxed)
      throw error
    }
    isDone.store(true, ordering: .relaxed)
    ended.wait()
    if let error = failure.withLock({ $0 }) { throw error }
    return row
  }

  /// The last repeat's seconds; of one thread.
  private final class Stopwatch: Sendable {
    let seconds = Mutex(0.0)
  }

  private let stopwatch = Stopwatch()

  private func start() throws(WorldError) -> Double {
    try world.barrier(Exchange("start of timing"))
    return MonotonicClock.seconds
  }

  private func time(since began: Double) {
    stopwatch.seconds.withLock { $0 = MonotonicClock.seconds - began }
  }

  private func row(
    _ lane: Lane, _ bytes: Int, _ repeats: Int, _ body: () throws(WorldError) -> Bool
  ) throws(WorldError) -> Row {
    var times: [Double] = []
    var wrong = 0.0
    // The first one makes connections.
    for number in 0...max(1, repeats) {
      if try !body() { wrong = 1 }
      if number > 0 { times.append(stopwatch.seconds.withLock { $0 }) }
    }
    var slowest = times + [wrong]
    try world.highest(&slowest, Exchange("times"))
    let sorted = slowest.dropLast().sorted()
    return Row(
      lane: lane, bytes: bytes, seconds: sorted[sorted.count / 2],
      isRight: slowest[slowest.count - 1] == 0)
  }
}
