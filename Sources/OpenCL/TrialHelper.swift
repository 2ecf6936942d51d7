import Formats
import Foundation

/// A process that runs what a driver may not survive, one request after the other, each within its
/// time.
///
/// A compiler that crashes or never ends then costs the request and not the run. Requests and answers
/// are messages of a socket, the other process's standard input; one that is gone is started again
/// for the next request.
package final class TrialHelper {
  private let executable: String
  private let arguments: [String]
  private let environment: [String: String]
  private let seconds: Double
  private var running: (process: Process, socket: Int32)?

  /// What came of a request.
  package enum Answer: Equatable {
    /// The other process's words.
    case reply(String)
    /// The request ended the process, or was not answered in time; one line says which.
    case none(String)
    /// No process could be started, or somebody else ended it.
    case unavailable
  }

  /// Signals of a program that cannot go on.
  private static let crashes = [SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS]
  /// What a process says when it is ready for requests.
  private static let greeting = "ready"
  /// Seconds until it says so at the latest.
  private static let patience = 60.0

  /// Starts nothing yet.
  ///
  /// - Parameters:
  ///   - executable: A program that calls ``serve(_:)``.
  ///   - arguments: Its arguments.
  ///   - environment: Variables beside those of this process.
  ///   - seconds: What a request may take.
  package init(
    executable: String, arguments: [String], environment: [String: String] = [:],
    seconds: Double = 120
  ) {
    self.executable = executable
    self.arguments = arguments
    self.environment = environment
    self.seconds = seconds
  }

  deinit { end() }

  /// Asks and waits for the answer.
  ///
  /// - Parameter request: What ``serve(_:)`` gets, below 64 KiB.
  /// - Returns: The answer, or what happened instead.
  package func ask(_ request: String) -> Answer {
    guard let (process, socket) = running ?? start() else { return .unavailable }
    _ = request.withCString { send(socket, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
    switch Self.message(on: socket, within: seconds) {
    case .some(let words?): return .reply(words)
    case nil:
      end()
      return .none("no answer within \(Int(seconds)) s")
    case .some(nil):
      process.waitUntilExit()
      let (status, reason) = (process.terminationStatus, process.terminationReason)
      end()
      guard reason != .uncaughtSignal || Self.crashes.contains(status) else { return .unavailable }
      return .none(
        "it ended the program that tried it, with "
          + (reason == .uncaughtSignal ? "signal" : "status") + " \(status)")
    }
  }

  /// The next message, nil within when the other side has gone; nil when none comes in time.
  private static func message(on socket: Int32, within seconds: Double) -> String?? {
    var events = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    let end = MonotonicClock.seconds + seconds
    var ready: Int32
    repeat {
      let left = max(0, min(end - MonotonicClock.seconds, 1e6))
      ready = poll(&events, 1, Int32((left * 1000).rounded(.up)))
    } while ready < 0 && errno == EINTR
    guard ready > 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: largest)
    let count = recv(socket, &bytes, bytes.count, 0)
    return .some(count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil)
  }

  private static let largest = 1 << 16

  private func start() -> (Process, Int32)? {
    var pair: [Int32] = [-1, -1]
    let type = Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &pair) == 0 else { return nil }
    let process = Process()
    process.executableURL = URL(filePath: executable)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle(fileDescriptor: pair[1], closeOnDealloc: false)
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    let isStarted = (try? process.run()) != nil
    // Only the other process holds it, so that its end is the end of the messages.
    close(pair[1])
    guard isStarted else {
      close(pair[0])
      return nil
    }
    running = (process, pair[0])
    guard Self.message(on: pair[0], within: Self.patience) == .some(Self.greeting) else {
      end()
      return nil
    }
    return running
  }

  private func end() {
    guard let (process, socket) = running else { return }
    running = nil
    close(socket)
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
  }

  /// Answers the requests of another process until it ends or wants no more.
  ///
  /// - Parameter answer: Gets a request and gives an answer of at least one character.
  package static func serve(_ answer: (String) -> String) {
    func tell(_ words: String) {
      _ = words.withCString { send(0, $0, min(strlen($0), largest), Int32(MSG_NOSIGNAL)) }
    }
    tell(greeting)
    var message = [UInt8](repeating: 0, count: largest)
    while true {
      let count = recv(0, &message, message.count, 0)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      tell(answer(String(decoding: message.prefix(count), as: UTF8.self)))
    }
  }
}
