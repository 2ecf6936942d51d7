import Foundation

/// A bound on the memory that several threads take at the same time.
///
/// Whoever asks first is served first, so that a large piece of work is not held up for ever by small
/// ones; one that is larger than the whole budget runs alone.
package final class MemoryBudget: @unchecked Sendable {
  // Sendable: the `var` properties are only touched while `condition` is locked.

  private let limit: Int
  private let condition = NSCondition()
  private var used = 0
  private var lastTicket = 0
  private var served = 0

  package init(limit: Int) { self.limit = limit }

  /// Runs a function when there is room for it.
  ///
  /// - Parameters:
  ///   - bytes: The most bytes that the function takes.
  ///   - body: The function; it must not ask the same budget.
  package func hold<Result>(_ bytes: Int, _ body: () throws -> Result) rethrows -> Result {
    condition.lock()
    lastTicket += 1
    let ticket = lastTicket
    while served != ticket - 1 || (used > 0 && bytes > limit - used) { condition.wait() }
    served = ticket
    used += bytes
    // The next in line may fit as well.
    condition.broadcast()
    condition.unlock()
    defer {
      condition.withLock {
        used -= bytes
        condition.broadcast()
      }
    }
    return try body()
  }
}
