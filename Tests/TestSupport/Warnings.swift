import Synchronization

/// Collects warnings from any thread.
package final class Warnings: Sendable {
  private let lines = Mutex<[String]>([])

  /// Creates an empty collection.
  package init() {}

  /// The warnings so far, oldest first.
  package var all: [String] { lines.withLock { $0 } }

  /// Takes a warning.
  ///
  /// - Parameter line: Its text.
  package func add(_ line: String) { lines.withLock { $0.append(line) } }
}
