import Testing

@testable import Serving

/// Gives prepared bytes piece by piece and keeps what is sent.
final class PreparedSource: ByteSource, @unchecked Sendable {
  // Sendable: a test awaits each call before the next.
  private var pieces: [[UInt8]]
  private(set) var sent = ""

  /// Cuts a text into pieces of so many bytes.
  init(_ text: String, piece: Int = .max) {
    let bytes = Array(text.utf8)
    pieces = stride(from: 0, to: bytes.count, by: min(piece, max(1, bytes.count))).map {
      Array(bytes[$0..<min(bytes.count, $0 + min(piece, bytes.count))])
    }
  }

  func next() async throws -> [UInt8]? { pieces.isEmpty ? nil : pieces.removeFirst() }

  func send(_ bytes: [UInt8]) async throws { sent += String(decoding: bytes, as: UTF8.self) }
}

@Suite("HTTP requests")
struct HTTPReaderTests {
  private static let limits: ServerLimits = {
    var limits = ServerLimits()
    limits.bodyBytes = 1000
    limits.headBytes = 500
    return limits
  }()

  private func read(_ text: String, piece: Int = .max) async throws -> HTTPRequest? {
    var reader = HTTPReader(
      PreparedSource(text, piece: piece), limits: Self.limits, budget: MemoryBudget(limit: 2000))
    guard var request = try await reader.head() else { return nil }
    try await reader.body(of: &request)
    return request
  }

  private func fault(_ text: String) async -> HTTPFault? {
    do {
      let request = try await read(text)
      Issue.record("accepted as \(String(describing: request))")
      return nil
    } catch {
      return error as? HTTPFault
    }
  }

  /// However it arrives, in one piece or byte by byte.
  @Test(arguments: [1, 2, 7, .max])
  func oneRequestAfterTheOther(piece: Int) async throws {
    let text =
      "\r\nPOST /detect?words=red%20cat,dog&x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
      + "GET / HTTP/1.0\n\n"
      + "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
      + "3;x=y\r\nabc\r\n00A\r\n0123456789\r\n0\r\nTrailer: b\r\n\r\n"
    var reader = HTTPReader(
      PreparedSource(text, piece: piece), limits: Self.limits, budget: MemoryBudget(limit: 2000))
    var begins = 0
    func next() async throws -> HTTPRequest {
      var request = try #require(try await reader.head { begins += 1 })
      try await reader.body(of: &request)
      return request
    }
    let first = try await next()
    #expect(first.method == "POST" && first.path == "/detect" && first.keepsAlive)
    #expect(first.field("words") == "red cat,dog" && first.field("x") == "")
    #expect(first.headers["host"] == "a" && String(decoding: first.body, as: UTF8.self) == "hello")
    let second = try await next()
    #expect(second.method == "GET" && second.body.isEmpty && !second.keepsAlive)
    let third = try await next()
    #expect(String(decoding: third.body, as: UTF8.self) == "abc0123456789" && !third.keepsAlive)
    #expect(try await reader.head() == nil && begins == 3)
  }

  @Test func aClientThatAsksIsInvited() async throws {
    let head = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: "
    let source = PreparedSource(head + "3\r\n\r\nabc", piece: head.utf8.count + 5)
    var reader = HTTPReader(source, limits: Self.limits, budget: MemoryBudget(limit: 2000))
    var request = try #require(try await reader.head())
    try await reader.body(of: &request)
    #expect(source.sent == "HTTP/1.1 100 Continue\r\n\r\n" && request.body.count == 3)
    // Nobody is invited to send what is refused.
    let other = PreparedSource(head + "3000\r\n\r\n")
    reader = HTTPReader(other, limits: Self.limits, budget: MemoryBudget(limit: 2000))
    var large = try #require(try await reader.head())
    await #expect(throws: HTTPFault.self) { try await reader.body(of: &large) }
    #expect(other.sent.isEmpty)
  }

  @Test(
    arguments: [
      ("GET / HTTP/1.1\r\nHost", .badRequest), ("GET /\r\n\r\n", .badRequest),
      ("\u{1}\u{2} / HTTP/1.1\r\n\r\n", .badRequest), ("GET x HTTP/1.1\r\n\r\n", .badRequest),
      ("GET / HTTP/2.0\r\n\r\n", .versionNotSupported), ("GET / FTP\r\n\r\n", .versionNotSupported),
      ("GET / HTTP/1.1\r\nno colon\r\n\r\n", .badRequest),
      ("GET / HTTP/1.1\r\n: x\r\n\r\n", .badRequest),
      ("GET / HTTP/1.1\r\na b: x\r\n\r\n", .badRequest),
      ("GET /%zz HTTP/1.1\r\n\r\n", .badRequest), ("GET /?a=%f HTTP/1.1\r\n\r\n", .badRequest),
      ("GET /" + String(repeating: "a", count: 600), .headTooLarge),
      (
        "GET / HTTP/1.1\r\nA: " + String(repeating: "a", count: 600) + "\r\n\r\n", .headTooLarge
      ),
      ("GET / HTTP/1.1\r\nA: \u{0}\r\n\r\n", .badRequest),
      ("GET / HTTP/1.1\r\nA: a\rB: b\r\n\r\n", .badRequest),
      ("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabc", .badRequest),
      ("POST / HTTP/1.1\r\nContent-Length: -4\r\n\r\nabc", .badRequest),
      ("POST / HTTP/1.1\r\nContent-Length: 1e3\r\n\r\nabc", .badRequest),
      ("POST / HTTP/1.1\r\nContent-Length: \r\n\r\nabc", .badRequest),
      ("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", .tooLarge),
      ("POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", .tooLarge),
      ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .badRequest),
      (
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .badRequest
      ),
      ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", .notImplemented),
      (
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        .notImplemented
      ),
      ("GET http:///x HTTP/1.1\r\n\r\n", .badRequest),
      ("GET ftp://a/ HTTP/1.1\r\n\r\n", .badRequest),
      ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", .badRequest),
      ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", .badRequest),
      ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nabcde\r\n", .badRequest),
      ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n", .badRequest),
      ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", .tooLarge),
      ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", .badRequest),
      ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", .badRequest),
      (
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
          + String(repeating: "0", count: 600), .badRequest
      ),
    ] as [(String, HTTPStatus)])
  func whatIsMalformedIsRefused(text: String, status: HTTPStatus) async {
    #expect(await fault(text)?.status == status, "\(text.prefix(80))")
  }

  @Test(arguments: [
    ("http://a:1/detect?x=1", "/detect", "1"), ("HTTPS://a?x=2", "/", "2"), ("http://a", "/", nil),
    ("*", "*", nil),
  ])
  func aTargetMayBeAWholeAddress(target: String, path: String, field: String?) async throws {
    let request = try #require(try await read("GET \(target) HTTP/1.1\r\n\r\n"))
    #expect(request.path == path && request.field("x") == field)
  }

  @Test func headersOfOneNameAreJoined() async throws {
    let text =
      "GET / HTTP/1.1\r\nA: x\r\na: y\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n"
    let request = try #require(try await read(text))
    #expect(request.headers["a"] == "x, y" && !request.keepsAlive)
  }

  @Test(arguments: [1, 50, .max])
  func bodiesTogetherAreLimited(piece: Int) async throws {
    let budget = MemoryBudget(limit: 150)
    func reader(_ text: String) -> HTTPReader<PreparedSource> {
      HTTPReader(PreparedSource(text, piece: piece), limits: Self.limits, budget: budget)
    }
    let text =
      "POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n" + String(repeating: "a", count: 100)
    let chunks =
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
      + String(repeating: "2\r\nbb\r\n", count: 50) + "0\r\n\r\n"
    var first = reader(text)
    var request = try #require(try await first.head())
    try await first.body(of: &request)
    for other in [text, chunks] {
      var second = reader(other)
      var late = try #require(try await second.head())
      let fault = await #expect(throws: HTTPFault.self) { try await second.body(of: &late) }
      #expect(fault?.status == .unavailable && fault?.retryAfter == 1)
      second.release()
    }
    first.release()
    var third = reader(chunks)
    var last = try #require(try await third.head())
    try await third.body(of: &last)
    #expect(last.body == [UInt8](repeating: UInt8(ascii: "b"), count: 100))
  }

  @Test func answersSayWhatTheyAre() {
    let text = String(
      decoding: HTTPAnswer(HTTPFault(.unavailable, "later", retryAfter: 3)).bytes(
        keepsAlive: false), as: UTF8.self)
    #expect(text.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
    #expect(text.contains("\r\nRetry-After: 3\r\n") && text.contains("\r\nConnection: close\r\n"))
    #expect(text.contains("\r\nContent-Length: 18\r\n"))
    #expect(text.hasSuffix("\r\n\r\n{\"error\":\"later\"}\n"))
    let head = HTTPAnswer(type: "text/plain", body: [65]).bytes(keepsAlive: true, hasBody: false)
    #expect(String(decoding: head, as: UTF8.self).hasSuffix("\r\n\r\n"))
  }
}
