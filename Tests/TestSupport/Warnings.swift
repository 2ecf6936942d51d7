import Synchronization

/// Collects warnings from any thread.
public final class Warnings: Sendable {
  private let lines = Mutex<[String]>([])

  /// Creates an empty collection.
  public init() {}

  /// The warnings so far, oldest first.
  public var all: [String] { lines.withLock { $0 } }

  /// Takes a warning.
  ///
  /// - Parameter line: Its text.
  public func add(_ line: String) { lines.withLock { $0.append(line) } }
}
