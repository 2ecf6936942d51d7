import Foundation

/// The program's terminal: results go to standard output, all else that is said to standard error.
///
/// Names from files cannot steer the terminal, as ``PrintedText`` writes them; notes, warnings and
/// errors are one line of at most 500 characters, only ``tell(_:)`` takes what it is given.
///
/// Nothing here traps, as Foundation's handles do on a full disk or a closed terminal. What cannot
/// be said is dropped, for no run is worth less than its log; a result that cannot be written is an
/// error.
package enum Console {
  /// Standard output takes no more; the description is one line with the remedy.
  package struct WriteError: Error, CustomStringConvertible {
    /// The system's number of the reason.
    let code: Int32

    /// Whether the reader of a pipe has gone, as `head` does when it has seen enough.
    package var isClosedPipe: Bool { code == EPIPE }

    /// One line with the remedy.
    package var description: String {
      "standard output cannot be written: \(String(cString: strerror(code))); "
        + "send it to a place that has room and is open"
    }
  }

  /// Makes a closed pipe an error instead of a signal that ends the process, and occupies standard
  /// input, output and error where they are closed, lest the next file that is opened take their
  /// place.
  package static func prepare() {
    signal(SIGPIPE, SIG_IGN)
    // In the mode that each is not used in, so that its use still fails.
    for (descriptor, mode) in [(0, O_WRONLY), (1, O_RDONLY), (2, O_RDONLY)] as [(Int32, Int32)] {
      guard fcntl(descriptor, F_GETFD) == -1, errno == EBADF else { continue }
      let other = open("/dev/null", mode)
      if other >= 0, other != descriptor {
        dup2(other, descriptor)
        close(other)
      }
    }
  }

  /// Writes a result to standard output, at once.
  ///
  /// - Parameters:
  ///   - text: The result.
  ///   - terminator: What follows it.
  /// - Throws: ``WriteError``.
  package static func print(_ text: String, terminator: String = "\n") throws {
    try write(PrintedText.escapedLines(text) + terminator, to: 1)
  }

  /// Writes bytes that are no text to standard output, at once.
  ///
  /// - Parameter bytes: The bytes.
  /// - Throws: ``WriteError``.
  package static func write(_ bytes: [UInt8]) throws { try write(bytes, to: 1) }

  /// Writes one or more lines to standard error.
  package static func say(_ text: String) { tell(PrintedText.escapedLines(text) + "\n") }

  /// Writes a note to standard error.
  package static func note(_ line: String) { tell(PrintedText.line("note: \(line)") + "\n") }

  /// Writes a warning to standard error.
  package static func warn(_ line: String) { tell(PrintedText.line("warning: \(line)") + "\n") }

  /// Writes an error to standard error.
  package static func fail(_ line: String) { tell(PrintedText.line("error: \(line)") + "\n") }

  /// Writes a text that may be less than a line to standard error.
  package static func tell(_ text: String) { try? write(text, to: 2) }

  private static func write(_ text: String, to descriptor: Int32) throws {
    try write(Array(text.utf8), to: descriptor)
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if written >= 0 {
        rest = rest.dropFirst(written)
      } else if errno == EAGAIN {
        var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&ready, 1, -1)
      } else if errno != EINTR {
        throw WriteError(code: errno)
      }
    }
  }
}
