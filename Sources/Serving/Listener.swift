import FlyingSocks
import Formats
import Foundation
import Synchronization

/// Accepts connections and answers the requests that arrive on them, each within its time.
///
/// The sockets are FlyingFox's, the framing is our own: docs/serve.md says why.
final class Listener: Sendable {
  /// Answers a request.
  typealias Handler = @Sendable (HTTPRequest) async -> HTTPAnswer

  /// What a connection is doing.
  private enum Phase {
    /// It waits for a request.
    case idle
    /// A request arrives, or an answer leaves.
    case transferring
    /// A request is being answered.
    case working
  }

  private struct Connection {
    var phase = Phase.idle
    /// When its patience ends, by ``MonotonicClock``.
    var deadline: Double
    let socket: Socket
    /// Whether a part of a request has come.
    var hasBegun = false
    var isOver = false
  }

  private struct State {
    var connections: [Int: Connection] = [:]
    var next = 0
    var isStopping = false
  }

  /// Seconds between two looks at the clock.
  private static let tick = 0.2
  /// Seconds that are given to a client to read why it was refused.
  private static let farewell = 2.0

  /// The address that is listened on, with the port that the system chose if none was given.
  let address: String
  private let socket: Socket
  private let pool: SocketPool<ePoll>
  private let executor = ServerExecutor()
  private let limits: ServerLimits
  private let bodies: MemoryBudget
  private let state = Mutex(State())

  /// Takes an address; connections wait until ``run(_:)``.
  ///
  /// - Parameters:
  ///   - host: A numeric address, or `localhost`.
  ///   - port: The port; 0 lets the system choose.
  ///   - limits: Limits of size, time and number.
  /// - Throws: ``ServerError`` when the address is no address, is in use or not allowed.
  init(host: String, port: Int, limits: ServerLimits) throws {
    // A client that has gone is an error of a call, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    self.limits = limits
    bodies = MemoryBudget(limit: limits.allBodiesBytes)
    pool = .ePoll(maxEvents: 64)
    guard let number = UInt16(exactly: port) else { throw ServerError.address("\(host):\(port)") }
    let name = host == "localhost" ? "127.0.0.1" : host
    let isNewer = name.contains(":")
    do {
      socket = try Socket(domain: isNewer ? AF_INET6 : AF_INET)
    } catch {
      throw ServerError.socket(address: host, reason: "\(error.localizedDescription)")
    }
    do {
      try socket.setValue(true, for: .localAddressReuse)
      if isNewer {
        guard let place = try? sockaddr_in6.inet6(ip6: name, port: number) else {
          throw ServerError.address(host)
        }
        try socket.bind(to: place)
      } else {
        guard let place = try? sockaddr_in.inet(ip4: name, port: number) else {
          throw ServerError.address(host)
        }
        try socket.bind(to: place)
      }
      try socket.listen()
      address = Self.text(try socket.sockname())
    } catch let error as ServerError {
      try? socket.close()
      throw error
    } catch SocketError.failed(_, let code, _) {
      try? socket.close()
      throw ServerError.refused(address: "\(host):\(port)", code: code)
    }
  }

  private static func text(_ address: Socket.Address) -> String {
    switch address {
    case .ip4(let host, let port): "\(host):\(port)"
    case .ip6(let host, let port): "[\(host)]:\(port)"
    case .unix(let path): path
    }
  }

  /// How many connections are open.
  var connectionCount: Int { state.withLock { $0.connections.count } }

  /// Answers until ``stop()``, then until what is under way is done.
  ///
  /// - Parameter handler: Answers a request.
  /// - Throws: ``ServerError`` when the system takes the socket away.
  func run(_ handler: @escaping Handler) async throws {
    try await pool.prepare()
    let listening = try AsyncSocket(socket: socket, pool: pool)
    let polling = Task(executorPreference: executor) { [pool] in try? await pool.run() }
    let watching = Task(executorPreference: executor) { await self.watch() }
    let accepting = Task(executorPreference: executor) { await self.accept(on: listening, handler) }
    while !state.withLock({ $0.isStopping }) { await Self.pause(0.05) }
    // Wakes the one that waits for a connection; the pool may miss the end of a socket that it is
    // only about to watch.
    shutdown(socket.file.rawValue, Int32(SHUT_RDWR))
    accepting.cancel()
    await accepting.value
    await settle(pool)
    try? socket.close()
    await drain()
    watching.cancel()
    await watching.value
    polling.cancel()
    await polling.value
    executor.stop()
  }

  /// Ends ``run(_:)``.
  func stop() { state.withLock { $0.isStopping = true } }

  /// Lets requests that have begun end, for as long as one may take.
  private func drain() async {
    let end = MonotonicClock.seconds + 2 * limits.seconds
    while connectionCount > 0, MonotonicClock.seconds < end {
      finish { $0.phase == .idle }
      await Self.pause(0.02)
    }
    while connectionCount > 0, MonotonicClock.seconds < end + Self.farewell {
      finish { _ in true }
      await Self.pause(0.02)
    }
  }

  /// Ends connections: whoever waits for their bytes finds the end of them.
  private func finish(where condition: (Connection) -> Bool) {
    state.withLock { state in
      for (id, connection) in state.connections where !connection.isOver && condition(connection) {
        state.connections[id]?.isOver = true
        if connection.phase == .transferring, connection.hasBegun {
          tellTimeIsOver(connection.socket)
        }
        // The number is not closed before the connection has left the list, so it is this one's.
        shutdown(connection.socket.file.rawValue, Int32(SHUT_RDWR))
      }
    }
  }

  /// Sent in one go or not at all: who is slow to send may be slow to read.
  private func tellTimeIsOver(_ socket: Socket) {
    let fault = HTTPFault(
      .requestTimeout, "the request did not arrive within \(limits.seconds) seconds")
    _ = try? socket.write(Data(HTTPAnswer(fault).bytes(keepsAlive: false)))
  }

  private static func pause(_ seconds: Double) async {
    try? await Task.sleep(nanoseconds: UInt64(seconds * 1e9))
  }

  /// Ends connections whose time is over.
  private func watch() async {
    while !Task.isCancelled {
      let now = MonotonicClock.seconds
      finish { $0.deadline < now }
      await Self.pause(Self.tick)
    }
  }

  private func accept(on listening: AsyncSocket, _ handler: @escaping Handler) async {
    while !state.withLock({ $0.isStopping }) {
      await makeRoom()
      do {
        open(try await listening.accept(), handler)
      } catch {
        // Too many open files, or a client that gave up: neither is the end of the server.
        endOldestIdle()
        await Self.pause(0.05)
      }
    }
  }

  /// Waits until one more connection is allowed; the oldest that waits for a request makes way.
  private func makeRoom() async {
    while connectionCount >= limits.connections, !state.withLock({ $0.isStopping }) {
      endOldestIdle()
      await Self.pause(0.01)
    }
  }

  private func endOldestIdle() {
    let oldest = state.withLock { state in
      let idle = state.connections.filter { $0.value.phase == .idle && !$0.value.isOver }
      return idle.min { $0.value.deadline < $1.value.deadline }?.value.socket
    }
    if let oldest { finish { $0.socket == oldest } }
  }

  private func open(_ socket: AsyncSocket, _ handler: @escaping Handler) {
    let id = state.withLock { state in
      state.next += 1
      state.connections[state.next] = Connection(
        deadline: MonotonicClock.seconds + limits.idleSeconds, socket: socket.socket)
      return state.next
    }
    Task(executorPreference: executor) {
      await self.converse(socket, id: id, handler)
      await self.settle(self.pool)
      // Out of the list first: nobody may end a connection by a number that another has.
      self.state.withLock { _ = $0.connections.removeValue(forKey: id) }
      try? socket.close()
    }
  }

  /// Waits until the pool has dealt with what woke us: a number that is closed before the pool has
  /// forgotten it would be deaf in the hands of the next connection.
  private func settle(_ pool: isolated SocketPool<ePoll>) {}

  private func set(_ phase: Phase, of id: Int, seconds: Double, hasBegun: Bool = false) {
    state.withLock { state in
      state.connections[id]?.phase = phase
      state.connections[id]?.deadline = MonotonicClock.seconds + seconds
      state.connections[id]?.hasBegun = hasBegun
    }
  }

  private func converse(_ socket: AsyncSocket, id: Int, _ handler: Handler) async {
    let source = SocketSource(socket: socket)
    var reader = HTTPReader(source, limits: limits, budget: bodies)
    defer { reader.release() }
    do {
      while true {
        set(.idle, of: id, seconds: limits.idleSeconds)
        let next = try await reader.head {
          set(.transferring, of: id, seconds: limits.seconds, hasBegun: true)
        }
        guard var request = next else { return }
        try await reader.body(of: &request)
        set(.working, of: id, seconds: .infinity)
        let answer = await handler(request)
        let keepsAlive = request.keepsAlive && !state.withLock { $0.isStopping }
        set(.transferring, of: id, seconds: limits.seconds)
        try await source.send(
          answer.bytes(keepsAlive: keepsAlive, hasBody: request.method != "HEAD"))
        reader.release()
        guard keepsAlive else { return await part(source, id: id) }
      }
    } catch let fault as HTTPFault {
      set(.transferring, of: id, seconds: Self.farewell)
      try? await source.send(HTTPAnswer(fault).bytes(keepsAlive: false))
      await part(source, id: id)
    } catch {
      // The other side has gone.
    }
  }

  /// Closes without losing the answer: a socket that is closed over unread bytes takes back what it
  /// has sent.
  private func part(_ source: SocketSource, id: Int) async {
    set(.transferring, of: id, seconds: Self.farewell)
    shutdown(source.socket.socket.file.rawValue, Int32(SHUT_WR))
    while let bytes = try? await source.next(), !bytes.isEmpty {}
  }
}

/// The bytes of a socket.
private struct SocketSource: ByteSource {
  private static let piece = 1 << 16

  let socket: AsyncSocket

  func next() async throws -> [UInt8]? {
    do {
      return try await socket.read(atMost: Self.piece)
    } catch SocketError.disconnected {
      return nil
    }
  }

  func send(_ bytes: [UInt8]) async throws { try await socket.write(Data(bytes)) }
}
