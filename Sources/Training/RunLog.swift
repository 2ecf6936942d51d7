import Formats
import Foundation

/// The file `log.txt` of a run: what was said while it was trained, each entry with its time.
///
/// A log that cannot be written costs the log and never the run.
package final class RunLog {
  /// What an entry is.
  package enum Kind: String {
    case note
    case warning
    case error
  }

  private let descriptor: Int32
  private let path: String

  /// Opens a log, made when it is not there; later sessions of a run write behind earlier ones.
  ///
  /// - Parameter path: The file.
  package init(path: String) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Adds an entry; further lines of a longer text are indented.
  ///
  /// - Parameters:
  ///   - kind: What it is.
  ///   - text: One or more lines.
  package func add(_ kind: Kind, _ text: String) {
    guard descriptor >= 0 else { return }
    let lines = PrintedText.escapedLines(text).split(
      separator: "\n", omittingEmptySubsequences: false
    ).reversed().drop { $0.isEmpty }.reversed()
    let head = "\(Self.time()) \(kind.rawValue): "
    let entry = Foundation.Data((head + lines.joined(separator: "\n  ") + "\n").utf8)
    try? entry.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
  }

  /// Now, as ISO 8601 writes it, in universal time.
  static func time() -> String { Date.now.formatted(.iso8601) }
}
