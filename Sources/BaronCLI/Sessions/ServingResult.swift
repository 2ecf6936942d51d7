import Synchronization

/// How a task ended, for a thread that waits for it.
final class ServingResult: Sendable {
  private let result = Mutex<Result<Void, any Error>?>(nil)

  /// Whether the task has ended.
  var isDone: Bool { result.withLock { $0 != nil } }

  /// Runs a task and keeps its end.
  func set(_ body: @Sendable () async throws -> Void) async {
    let outcome: Result<Void, any Error>
    do {
      outcome = .success(try await body())
    } catch {
      outcome = .failure(error)
    }
    result.withLock { $0 = outcome }
  }

  /// The task's error, if it had one.
  func get() throws { try result.withLock { $0 }?.get() }
}
