import Synchronization

/// Bytes that all requests together may hold: each on its own is within its limit, many at a time need
/// one of their own.
final class MemoryBudget: Sendable {
  private let limit: Int
  private let held = Mutex(0)

  /// A budget of which nothing is held.
  ///
  /// - Parameter limit: Its bytes.
  init(limit: Int) { self.limit = limit }

  /// Takes bytes.
  ///
  /// - Parameter bytes: How many, at least 0.
  /// - Throws: ``HTTPFault`` with 503 when they are not there; nothing is taken then.
  func take(_ bytes: Int) throws(HTTPFault) {
    let isThere = held.withLock { held in
      guard bytes <= limit - held else { return false }
      held += bytes
      return true
    }
    guard isThere else {
      throw HTTPFault(
        .unavailable, "other requests have the memory that this one needs; ask again later",
        retryAfter: 1)
    }
  }

  /// Gives bytes back.
  ///
  /// - Parameter bytes: How many; no more than were taken.
  func giveBack(_ bytes: Int) { held.withLock { $0 -= bytes } }
}
