import CLastWords
import Foundation
import Synchronization

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
    state.withLock { $0.isPrepared = true }
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
  package static func tell(_ text: String) {
    state.withLock { state in
      let clearing = state.clearing
      state.passing = nil
      state.lastTime = MonotonicClock.seconds
      try? write(clearing + text, to: state.descriptor)
    }
  }

  /// Writes a line to standard error that on a terminal stands only until something else is said.
  ///
  /// - Parameters:
  ///   - line: The line, no longer than the window is wide.
  ///   - isTerminal: Whether standard error is a terminal; elsewhere the line stays.
  package static func tellInPassing(_ line: String, isTerminal: Bool) {
    let line = PrintedText.escaped(line)
    state.withLock { state in
      let clearing = state.clearing
      state.passing = isTerminal ? line.columns : nil
      state.lastTime = MonotonicClock.seconds
      try? write(
        isTerminal ? "\(clearing)\r\(line)\u{1B}[K" : "\(line)\n", to: state.descriptor)
    }
  }

  /// Seconds since something was last said on standard error, or since the program's start.
  package static var silence: Double {
    MonotonicClock.seconds - state.withLock { $0.lastTime }
  }

  private struct State {
    /// The columns of the last line where it is to be replaced by what is said next.
    var passing: Int?
    /// When something was last said, in seconds of ``MonotonicClock``.
    var lastTime = 0.0
    /// Where it goes: standard error, or another name of it once that was lent.
    var descriptor: Int32 = 2
    var isPrepared = false

    /// What takes off the line that stands in passing.
    var clearing: String {
      passing.map { LiveLine.clearing(columns: $0, width: LiveLine.width(of: descriptor)) } ?? ""
    }
  }

  private static let state = Mutex(State())

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

extension Console {
  /// Runs something that writes to standard error by itself, as a driver's compiler does, and takes
  /// its words instead of showing them.
  ///
  /// What the program itself says meanwhile is shown, and so are words before a crash. Where the console was not prepared, in another
  /// program than this, or no file can be made for the words, nothing is taken.
  ///
  /// - Parameter body: What is run; only one thread at a time.
  /// - Returns: Its result and what was written.
  package static func hearing<Result>(
    _ body: () throws -> Result
  ) rethrows -> (result: Result, words: String) {
    guard state.withLock({ $0.isPrepared }), let own, let file = wordsFile() else {
      return (try body(), "")
    }
    defer { close(file) }
    state.withLock { state in
      state.descriptor = own
      dup2(file, 2)
    }
    last_words_begin(file, own)
    defer {
      last_words_end()
      dup2(own, 2)
    }
    let result = try body()
    return (result, words(in: file))
  }

  /// Another name of standard error that stays when 2 is lent.
  private static let own: Int32? = {
    let descriptor = fcntl(2, F_DUPFD_CLOEXEC, 3)
    return descriptor < 0 ? nil : descriptor
  }()

  /// A file without a name.
  private static func wordsFile() -> Int32? {
    var template = Array(
      "\(FileManager.default.temporaryDirectory.path)/baron-words-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else { return nil }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    unlink(template)
    return descriptor
  }

  private static func words(in file: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = pread(file, &bytes, bytes.count, 0)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}
