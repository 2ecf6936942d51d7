import Synchronization

/// Carries warnings from the loader's threads to the thread that trains.
final class WarningBox: Sendable {
  private let lines = Mutex<[String]>([])

  func add(_ line: String) { lines.withLock { $0.append(line) } }

  func take() -> [String] {
    lines.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
  }
}
