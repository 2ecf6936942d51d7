import Foundation
import Synchronization

/// Independent pieces of work on several threads.
package enum Parallel {
  /// Does every piece and gives the results by piece, whichever thread did it.
  ///
  /// - Parameters:
  ///   - order: All pieces from 0 on, in the order in which they are started: long ones first.
  ///   - threads: How many work at once.
  ///   - state: Makes what a thread carries from piece to piece, its memory for example.
  ///   - body: Does a piece.
  /// - Throws: The error of the piece that stands first in `order` among those that failed.
  package static func map<State, Element: Sendable, Failure: Error>(
    _ order: [Int], threads: Int, state: @Sendable () -> State,
    _ body: @Sendable (inout State, Int) throws(Failure) -> Element
  ) throws(Failure) -> [Element] {
    let next = Atomic<Int>(0)
    let outcomes = Mutex<[Element?]>(Array(repeating: nil, count: order.count))
    let failure = Mutex<(place: Int, error: Failure)?>(nil)
    DispatchQueue.concurrentPerform(iterations: max(1, min(threads, order.count))) { _ in
      var state = state()
      while true {
        let place = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard place < order.count else { return }
        do throws(Failure) {
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

  /// Does `count` pieces and gives their results in order.
  ///
  /// - Parameters:
  ///   - count: The number of pieces.
  ///   - threads: How many work at once; one a core that it may use unless said otherwise.
  ///   - chunk: How many small pieces a thread takes at a time.
  ///   - body: Does a piece.
  /// - Throws: The error of the first chunk that failed.
  package static func map<Element: Sendable, Failure: Error>(
    count: Int, threads: Int = Cores.usable, chunk: Int = 1,
    _ body: @Sendable (Int) throws(Failure) -> Element
  ) throws(Failure) -> [Element] {
    try map(Array(0..<count.dividedUp(by: chunk)), threads: threads, state: {}) {
      (_: inout Void, index: Int) throws(Failure) -> [Element] in
      var elements: [Element] = []
      for piece in index * chunk..<min(count, (index + 1) * chunk) {
        elements.append(try body(piece))
      }
      return elements
    }.flatMap { $0 }
  }
}
