import Foundation
import Synchronization

/// Writes compiled programs to the cache on another thread.
public final class ProgramStoring: Sendable {
  private let stops = Atomic(false)
  private let end = DispatchGroup()

  /// Starts to write.
  ///
  /// - Parameter programs: The programs; those that came from the cache cost nothing.
  public init(_ programs: [Program]) {
    let built = programs.map(\.built).filter { $0.origin == .source }
    guard !built.isEmpty else { return }
    end.enter()
    let thread = Thread { [self] in
      for program in built where !stops.load(ordering: .relaxed) { program.store() }
      end.leave()
    }
    thread.name = "program cache"
    thread.stackSize = 8 << 20
    thread.start()
  }

  /// Waits until all are written.
  public func finish() { end.wait() }

  /// Waits for the program that is being written; the others are left to the next run.
  public func stop() {
    stops.store(true, ordering: .relaxed)
    end.wait()
  }
}
