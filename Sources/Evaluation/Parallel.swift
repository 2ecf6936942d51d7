import Dispatch
import Synchronization

/// Independent pieces of work on several threads.
enum Parallel {
  /// Does every piece and gives the results by piece, whichever thread did it.
  ///
  /// - Parameters:
  ///   - order: All pieces from 0 on, in the order in which they are started: long ones first.
  ///   - threads: How many work at once.
  ///   - state: Makes what a thread carries from piece to piece, its memory for example.
  ///   - body: Does a piece.
  /// - Returns: The results.
  /// - Throws: The error of the piece that stands first in `order` among those that failed.
  static func map<State, Element: Sendable>(
    _ order: [Int], threads: Int, state: @Sendable () -> State,
    _ body: @Sendable (inout State, Int) throws -> Element
  ) throws -> [Element] {
    let next = Atomic<Int>(0)
    let outcomes = Mutex<[Element?]>(Array(repeating: nil, count: order.count))
    let failure = Mutex<(place: Int, error: any Error)?>(nil)
    DispatchQueue.concurrentPerform(iterations: max(1, min(threads, order.count))) { _ in
      var state = state()
      while true {
        let place = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard place < order.count else { return }
        do {
          let element = try body(&state, order[place])
          outcomes.withLock { $0[order[place]] = element }
        } catch {
          // Pieces before this one have been started, so the first failure is always found.
          failure.withLock { if place < $0?.place ?? .max { $0 = (place, error) } }
          next.store(order.count, ordering: .relaxed)
        }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
    return outcomes.withLock { $0 }.compactMap { $0 }
  }

  /// Does `count` small pieces, many at a time.
  static func map<Element: Sendable>(
    count: Int, threads: Int, _ body: @Sendable (Int) throws -> Element
  ) throws -> [Element] {
    let chunk = 512
    let chunks = (count + chunk - 1) / chunk
    return try map(Array(0..<chunks), threads: threads, state: {}) { _, index in
      try (index * chunk..<min(count, (index + 1) * chunk)).map(body)
    }.flatMap { $0 }
  }
}
