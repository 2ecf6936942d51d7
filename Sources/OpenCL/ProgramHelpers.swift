import Foundation

/// Processes that compile a run's programs for the cache while the run goes on.
///
/// PoCL compiles each kernel when it first runs and once more when it is asked for a binary. Threads
/// of one process wait for each other there, but what another process has compiled lies in the
/// driver's own cache on disk, where this process finds it. So a helper is told of each program that
/// was compiled here, writes it to the cache, and leaves next to nothing to do for
/// ``Program/store()``. Where a binary costs nothing they compile before a run starts what it is
/// likely to need. A helper that fails costs time, never a result.
///
/// Programs go to the helpers as messages of a socket that all of them read, each message by one of
/// them. A helper ends after the last message, and at once when this process ends.
package final class ProgramHelpers {
  /// After so long a helper is taken to hang, and this process compiles.
  private static let patience = 600.0

  private let limit: Int
  private let executable: String
  private let arguments: [String]
  private let environment: [String: String]?
  private var processes: [Process] = []
  /// Both ends of the socket while programs may come; the second one is the helpers'.
  private var ends: (own: Int32, others: Int32)?

  /// Prepares to start helpers.
  ///
  /// - Parameters:
  ///   - executable: The program.
  ///   - arguments: Its arguments.
  ///   - environment: Its variables; nil hands on those of this process.
  ///   - limit: Most helpers at a time.
  package init(
    executable: String, arguments: [String], environment: [String: String]? = nil, limit: Int
  ) {
    self.executable = executable
    self.arguments = arguments
    self.environment = environment
    self.limit = limit
  }

  deinit {
    if let ends { Self.close(ends) }
  }

  /// Hands a program to a helper; starts one more unless there are enough.
  ///
  /// - Parameter program: What ``serve(_:)`` gets, below 64 KiB.
  package func add(_ program: String) {
    guard limit > 0, let ends = ends ?? open() else { return }
    if processes.count < limit { start(reading: ends.others) }
    // Nothing waits for helpers that are gone or cannot keep up.
    _ = program.withCString { send(ends.own, $0, strlen($0), Int32(MSG_DONTWAIT | MSG_NOSIGNAL)) }
  }

  /// Waits until the helpers have done what they were given and have ended, ten minutes at most.
  package func finish() {
    guard let ends else { return }
    shutdown(ends.own, Int32(SHUT_WR))
    let deadline = Date(timeIntervalSinceNow: Self.patience)
    for process in processes {
      while process.isRunning, Date() < deadline { usleep(5000) }
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
      process.waitUntilExit()
    }
    processes = []
    Self.close(ends)
    self.ends = nil
  }

  private func open() -> (own: Int32, others: Int32)? {
    var pair: [Int32] = [-1, -1]
    let type = Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &pair) == 0 else { return nil }
    ends = (pair[0], pair[1])
    return ends
  }

  private func start(reading descriptor: Int32) {
    let process = Process()
    process.executableURL = URL(filePath: executable)
    process.arguments = arguments
    if let environment { process.environment = environment }
    process.standardInput = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
    // The driver's remarks on the sources were heard once already.
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return }
    processes.append(process)
  }

  private static func close(_ ends: (own: Int32, others: Int32)) {
    Foundation.close(ends.own)
    Foundation.close(ends.others)
  }

  /// Runs a helper: hands on what comes in on standard input until there is no more.
  ///
  /// - Parameter compile: Gets each program.
  package static func serve(_ compile: (String) -> Void) {
    // A killed process leaves its messages behind; nobody wants them any more.
    Thread.detachNewThread {
      var input = pollfd(fd: 0, events: 0, revents: 0)
      while poll(&input, 1, -1) < 0, errno == EINTR {}
      _exit(1)
    }
    let size = 1 << 16
    var message = [UInt8](repeating: 0, count: size)
    while true {
      let count = recv(0, &message, size, 0)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      compile(String(decoding: message.prefix(count), as: UTF8.self))
    }
  }
}
