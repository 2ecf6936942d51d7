import Formats
import Foundation

/// How often a run was started in a row without getting to a new checkpoint.
package enum RunRestarts {
  /// Starts without a new checkpoint after which another one is refused.
  package static let most = 2

  /// Counts the last starts that began where a run is now.
  ///
  /// - Parameters:
  ///   - path: The run's file `run.json`.
  ///   - iteration: The iteration of its newest checkpoint, 0 without any.
  package static func count(in path: String, at iteration: Int) -> Int {
    let sessions = (try? JSONValue(contentsOf: path))?["sessions"]?.array ?? []
    return sessions.reversed().prefix { session in
      // One that ended while it prepared has not begun anywhere; one that was stopped was meant to.
      session["outcome"]?.string != "stopped"
        && (session["first_iteration"]?.integer ?? iteration) == iteration
    }.count
  }

  /// Refuses a start that would end like those before it.
  ///
  /// - Parameters:
  ///   - run: The run's folder.
  ///   - iterations: Iterations of the whole run.
  /// - Throws: ``RunFolderError/stuck(path:starts:iteration:)``.
  package static func check(_ run: RunFolder, iterations: Int) throws {
    let newest = run.checkpoints.all { _ in }.last?.iteration ?? 0
    guard newest < iterations else { return }
    let starts = count(in: run.recordPath, at: newest)
    guard starts < most else {
      throw RunFolderError.stuck(path: run.path, starts: starts, iteration: newest)
    }
  }
}
