import Foundation
import TestSupport
import Testing

@testable import Serving

@Suite("Connections", .serialized)
struct ListenerTests {
  private static func limits(_ change: (inout ServerLimits) -> Void = { _ in }) -> ServerLimits {
    var limits = ServerLimits()
    // Long enough for a machine that is busy with other tests.
    limits.seconds = 10
    limits.idleSeconds = 20
    limits.bodyBytes = 100_000
    change(&limits)
    return limits
  }

  /// Runs a server whose answer is the body of the request, after a pause if the path asks for one.
  ///
  /// Server and client have threads of their own: each step of a task on the shared ones would wait
  /// behind hundreds of other tests, longer than a server has patience.
  private func serving(
    _ limits: ServerLimits = ListenerTests.limits(),
    _ body: @Sendable (UInt16, Listener) async throws -> Void
  ) async throws {
    let threads = ServerExecutor()
    defer { threads.stop() }
    try await withTaskExecutorPreference(threads) {
      let listener = try Listener(host: "127.0.0.1", port: 0, limits: limits)
      let port = try #require(listener.address.split(separator: ":").last.flatMap { UInt16($0) })
      let running = Task(executorPreference: threads) {
        try await listener.run { request in
          if request.path == "/slow" { try? await Task.sleep(nanoseconds: 500_000_000) }
          return HTTPAnswer(type: "text/plain", body: request.body)
        }
      }
      do {
        try await body(port, listener)
      } catch {
        listener.stop()
        throw error
      }
      listener.stop()
      try await running.value
      #expect(listener.connectionCount == 0)
    }
  }

  private func echo(_ text: String, path: String = "/") -> String {
    "POST \(path) HTTP/1.1\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
  }

  private func works(_ port: UInt16) async -> Bool {
    guard let client = RawClient(port: port) else { return false }
    client.send(echo("ping"))
    return await client.answer(until: "ping").hasPrefix("HTTP/1.1 200 OK\r\n")
  }

  @Test func connectionsStayOpenForMoreRequests() async throws {
    try await serving { port, _ in
      let client = try #require(RawClient(port: port))
      for index in 0..<50 {
        client.send(echo("request \(index)"))
        #expect(await client.answer(until: "request \(index)").hasPrefix("HTTP/1.1 200 OK\r\n"))
      }
      // Two at once are answered in their order.
      client.send(echo("one") + echo("two"))
      let both = await client.answer(until: "two")
      #expect(both.contains("\r\n\r\none") && both.hasSuffix("\r\n\r\ntwo"))
      client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
      #expect(await client.answer().contains("Connection: close"))
    }
  }

  @Test func manyShortConnections() async throws {
    try await serving { port, _ in
      for _ in 0..<400 { #expect(await works(port)) }
    }
  }

  /// Each gets a word of explanation where it can still read, and others are served meanwhile.
  @Test func badClientsAreRefusedAndHarmNobody() async throws {
    try await serving { port, _ in
      for (text, status) in [
        ("nonsense\r\n\r\n", 400), ("GET / HTTP/9.9\r\n\r\n", 505),
        ("POST / HTTP/1.1\r\nContent-Length: 100001\r\n\r\n", 413),
        ("GET / HTTP/1.1\r\nA: " + String(repeating: "x", count: 200_000), 431),
        (String(repeating: "\0", count: 100_000), 431),
      ] {
        let client = try #require(RawClient(port: port))
        client.send(text)
        #expect(await client.answer().hasPrefix("HTTP/1.1 \(status) "), "\(text.prefix(40))")
        #expect(await works(port))
      }
      // A body that is refused while it is still being sent: the answer arrives all the same.
      let client = try #require(RawClient(port: port))
      client.send("POST / HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n")
      client.send([UInt8](repeating: 65, count: 3_000_000))
      #expect(await client.answer().hasPrefix("HTTP/1.1 413 "))
      // Cut off in the middle.
      let cut = try #require(RawClient(port: port))
      cut.send("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
      cut.finish()
      #expect(await cut.answer().contains("the body ended after 3 of 10 bytes"))
      for _ in 0..<100 {
        let gone = try #require(RawClient(port: port))
        gone.send("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
      }
      #expect(await works(port))
    }
  }

  /// Byte by byte is no way to keep a connection for ever.
  @Test func slowSendersAreEnded() async throws {
    try await serving(Self.limits { $0.seconds = 2 }) { port, _ in
      let began = Date()
      let client = try #require(RawClient(port: port))
      client.send("POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
      for _ in 0..<20 {
        client.send("x")
        try await Task.sleep(nanoseconds: 150_000_000)
      }
      #expect(await client.answer().hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
      let other = try #require(RawClient(port: port))
      other.send("GET / HT")
      #expect(await other.answer().hasPrefix("HTTP/1.1 408 "))
      #expect(Date().timeIntervalSince(began) < 15)
      #expect(await works(port))
    }
  }

  /// The oldest that say nothing make way.
  @Test func connectionsThatAreLeftMakeWay() async throws {
    try await serving(Self.limits { $0.connections = 20 }) { port, listener in
      var left: [RawClient] = []
      for _ in 0..<200 { left.append(try #require(RawClient(port: port))) }
      for _ in 0..<20 { #expect(await works(port)) }
      #expect(listener.connectionCount <= 20)
      withExtendedLifetime(left) {}
    }
  }

  @Test func idleConnectionsEnd() async throws {
    try await serving(Self.limits { $0.idleSeconds = 0.3 }) { port, _ in
      let client = try #require(RawClient(port: port))
      #expect(await client.answer().isEmpty)
    }
  }

  @Test func whatIsUnderWayIsAnsweredBeforeTheEnd() async throws {
    try await serving { port, listener in
      let slow = try #require(RawClient(port: port))
      let idle = try #require(RawClient(port: port))
      slow.send(echo("late", path: "/slow"))
      try await Task.sleep(nanoseconds: 200_000_000)
      listener.stop()
      let answer = await slow.answer()
      #expect(answer.hasSuffix("late") && answer.contains("Connection: close"))
      #expect(await idle.answer().isEmpty)
      try await Task.sleep(nanoseconds: 300_000_000)
      #expect(RawClient(port: port) == nil)
    }
  }

  @Test func addressesThatCannotBeHadAreNamed() throws {
    func line(_ host: String, _ port: Int = 0) -> String {
      do {
        return try Listener(host: host, port: port, limits: .init()).address
      } catch {
        return "\(error)"
      }
    }
    let first = try Listener(host: "localhost", port: 0, limits: .init())
    #expect(first.address.hasPrefix("127.0.0.1:"))
    let port = try #require(first.address.split(separator: ":").last.flatMap { Int($0) })
    #expect(line("127.0.0.1", port).contains("another program listens here; choose another --port"))
    #expect(line("example").contains("is no numeric address"))
    #expect(line("1.2.3.4.5").contains("is no numeric address"))
    #expect(line("203.0.113.1").contains("this machine has no such address"))
    #expect(line("127.0.0.1", 70000).contains("is no numeric address with a port"))
  }
}
