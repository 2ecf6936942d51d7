import Formats

/// Bytes that arrive piece by piece.
protocol ByteSource: Sendable {
  /// Waits for the next bytes.
  ///
  /// - Returns: At least one byte, or nil at the end.
  func next() async throws -> [UInt8]?
  /// Sends bytes.
  func send(_ bytes: [UInt8]) async throws
}

/// Cuts what arrives on a connection into requests (RFC 9112), within limits of size.
///
/// Time is the business of whoever cancels the task.
struct HTTPReader<Source: ByteSource>: Sendable {
  private let source: Source
  private let limits: ServerLimits
  private let budget: MemoryBudget
  /// What has come and belongs to no request yet; a slice, so that small chunks cost no copies.
  private var pending: ArraySlice<UInt8> = []
  /// Bytes that were taken from the budget.
  private var held = 0

  /// Reads from a source.
  ///
  /// - Parameters:
  ///   - source: The source.
  ///   - limits: What is refused.
  ///   - budget: Where the memory of bodies is taken from.
  init(_ source: Source, limits: ServerLimits, budget: MemoryBudget) {
    self.source = source
    self.limits = limits
    self.budget = budget
  }

  /// Gives back the memory of the bodies so far.
  mutating func release() {
    budget.giveBack(held)
    held = 0
  }

  /// Whether bytes of a next request are here already.
  var hasPending: Bool { !pending.isEmpty }

  /// Waits for the next request's line and headers.
  ///
  /// - Parameter began: Called when the first byte is there.
  /// - Returns: The request without its body, or nil when the other side has closed.
  /// - Throws: ``HTTPFault``; what the source throws.
  mutating func head(began: () -> Void = {}) async throws -> HTTPRequest? {
    // Empty lines before a request are allowed (RFC 9112, section 2.2).
    func skipEmptyLines() { pending = pending.drop { $0 == 13 || $0 == 10 } }
    skipEmptyLines()
    var searched = pending.startIndex
    if hasPending { began() }
    while true {
      let end = Self.endOfHead(pending, from: searched)
      guard (end?.lowerBound ?? pending.endIndex) - pending.startIndex <= limits.headBytes else {
        throw HTTPFault(
          .headTooLarge, "the request's head has more than \(limits.headBytes, "byte")")
      }
      if let end {
        let head = pending[..<end.lowerBound]
        pending = pending[end.upperBound...]
        return try HTTPRequest(head: head)
      }
      searched = max(pending.startIndex, pending.endIndex - 3)
      let wasEmpty = pending.isEmpty
      guard let bytes = try await source.next() else {
        guard wasEmpty else { throw HTTPFault(.badRequest, "the request ended within its head") }
        return nil
      }
      pending += bytes
      if wasEmpty {
        skipEmptyLines()
        searched = pending.startIndex
        if hasPending { began() }
      }
    }
  }

  /// The empty line after a head, whether lines end in CR LF or in LF alone.
  private static func endOfHead(_ bytes: ArraySlice<UInt8>, from start: Int) -> Range<Int>? {
    var index = start
    while index < bytes.endIndex {
      if bytes[index] == 10 {
        if index + 1 < bytes.endIndex, bytes[index + 1] == 10 { return index..<index + 2 }
        if index + 2 < bytes.endIndex, bytes[index + 1] == 13, bytes[index + 2] == 10 {
          return index..<index + 3
        }
      }
      index += 1
    }
    return nil
  }

  /// Reads the body that belongs to a head.
  ///
  /// - Parameter request: The request, whose body is filled in.
  /// - Throws: ``HTTPFault`` for a body that is too large, cut short or of unknown length.
  mutating func body(of request: inout HTTPRequest) async throws {
    let coding = request.headers["transfer-encoding"]
    let length = request.headers["content-length"]
    guard coding == nil || length == nil else {
      throw HTTPFault(.badRequest, "the body has both a length and a transfer coding")
    }
    if let coding {
      guard coding.lowercased() == "chunked" else {
        throw HTTPFault(.notImplemented, "the only transfer coding known here is chunked")
      }
      try await invite(request)
      request.body = try await chunkedBody()
    } else if let length {
      guard !length.isEmpty, length.utf8.allSatisfy({ (48...57).contains($0) }) else {
        throw HTTPFault(.badRequest, "the body's length is no number")
      }
      guard let count = Int(length), count <= limits.bodyBytes else { throw tooLarge }
      if count > pending.count { try await invite(request) }
      request.body = Array(try await exactly(count))
    }
  }

  private var tooLarge: HTTPFault {
    HTTPFault(
      .tooLarge, "the body has more than \(limits.bodyBytes, "byte"); send a smaller picture")
  }

  /// Tells a client that asks before it sends that it may.
  private func invite(_ request: HTTPRequest) async throws {
    guard request.headers["expect"]?.lowercased() == "100-continue" else { return }
    try await source.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
  }

  private mutating func exactly(_ count: Int) async throws -> ArraySlice<UInt8> {
    try hold(min(count, pending.count))
    while pending.count < count {
      guard let bytes = try await source.next() else {
        throw HTTPFault(
          .badRequest, "the body ended after \(pending.count) of \(count, "byte")")
      }
      try hold(min(bytes.count, count - pending.count))
      pending += bytes
    }
    let body = pending.prefix(count)
    pending = pending.dropFirst(count)
    return body
  }

  private mutating func hold(_ bytes: Int) throws(HTTPFault) {
    try budget.take(bytes)
    held += bytes
  }

  private mutating func chunkedBody() async throws -> [UInt8] {
    var body: [UInt8] = []
    while true {
      let line = try await nextLine()
      let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
      // A sign would pass as part of a number.
      guard !digits.isEmpty, digits.count <= 15, digits.first != UInt8(ascii: "+"),
        let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0
      else { throw HTTPFault(.badRequest, "the length of a chunk is malformed") }
      guard size <= limits.bodyBytes - body.count else { throw tooLarge }
      guard size > 0 else { break }
      body += try await exactly(size)
      guard try await nextLine().isEmpty else {
        throw HTTPFault(.badRequest, "a chunk is longer than it says")
      }
    }
    // Trailers are read and not used.
    var trailers = 0
    while true {
      let line = try await nextLine()
      guard !line.isEmpty else { return body }
      trailers += line.count
      guard trailers <= limits.headBytes else {
        throw HTTPFault(.headTooLarge, "the trailers are too long")
      }
    }
  }

  /// A line of a chunked body, without its end.
  private mutating func nextLine() async throws -> ArraySlice<UInt8> {
    while true {
      if let end = pending.firstIndex(of: 10) {
        let line = pending[..<end]
        pending = pending[(end + 1)...]
        return line.last == 13 ? line.dropLast() : line
      }
      guard pending.count <= limits.headBytes else {
        throw HTTPFault(.badRequest, "a line of a chunked body is too long")
      }
      guard let bytes = try await source.next() else {
        throw HTTPFault(.badRequest, "the body ended within a chunk")
      }
      pending += bytes
    }
  }
}
