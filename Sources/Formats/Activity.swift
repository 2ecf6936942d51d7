import Synchronization

/// What the program is busy with, for whoever tells the user that it is not dead.
///
/// Parts of one thread's work lie within each other; the innermost counts.
package enum Activity {
  /// A part of the work.
  package struct Part: Sendable {
    /// Tells parts apart.
    package let number: Int
    /// What is done, "reading train.json" for example.
    package let text: String
    /// When it began, in seconds of ``MonotonicClock``.
    package let began: Double
  }

  private static let parts = Mutex<(last: Int, open: [Part])>((0, []))

  /// All parts under way, the innermost last.
  static var open: [Part] { parts.withLock { $0.open } }

  /// What the program is busy with now; nil when nobody said.
  package static var current: Part? { open.last }

  /// Says what is done while a function runs.
  ///
  /// - Parameters:
  ///   - text: What is done.
  ///   - body: Does it.
  package static func during<Result>(
    _ text: String, _ body: () throws -> Result
  ) rethrows -> Result {
    let number = begin(text)
    defer { end(number) }
    return try body()
  }

  /// Says what is done from now on until ``end(_:)`` gets the number that this returns.
  package static func begin(_ text: String) -> Int {
    parts.withLock { parts in
      parts.last += 1
      parts.open.append(Part(number: parts.last, text: text, began: MonotonicClock.seconds))
      return parts.last
    }
  }

  /// Ends a part; one that has ended already stays so.
  package static func end(_ number: Int) {
    parts.withLock { $0.open.removeAll { $0.number == number } }
  }
}
