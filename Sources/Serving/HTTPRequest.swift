/// A request as it arrived.
struct HTTPRequest: Sendable, Equatable {
  /// The method in capitals.
  var method: String
  /// The path, decoded, without the query.
  var path: String
  /// The query's fields, decoded, in order.
  var query: [(name: String, value: String)]
  /// The headers by their names in lower case; several of one name are joined by commas.
  var headers: [String: String]
  /// The body.
  var body: [UInt8] = []
  /// Whether the connection stays open after the answer.
  var keepsAlive: Bool

  /// The first field of a name in the query.
  func field(_ name: String) -> String? { query.first { $0.name == name }?.value }

  /// The body's media type in lower case, without parameters.
  var mediaType: String {
    let type = headers["content-type"] ?? ""
    return type.prefix { $0 != ";" }.lowercased().trimmed
  }

  static func == (left: HTTPRequest, right: HTTPRequest) -> Bool {
    left.method == right.method && left.path == right.path && left.headers == right.headers
      && left.body == right.body && left.keepsAlive == right.keepsAlive
      && left.query.elementsEqual(right.query) { $0 == $1 }
  }
}

extension HTTPRequest {
  /// Reads the line and the headers of a request (RFC 9112, sections 3 and 5).
  ///
  /// - Parameter head: Everything before the empty line, without it.
  /// - Throws: ``HTTPFault`` with the answer's status.
  init(head: some Collection<UInt8>) throws(HTTPFault) {
    guard let text = String(validating: head, as: UTF8.self) else {
      throw HTTPFault(.badRequest, "the request's head is not UTF-8")
    }
    // By bytes: CR LF is one character to Swift, and LF another.
    var lines = text.utf8.split(separator: 10, omittingEmptySubsequences: false).map { line in
      Substring(line.last == 13 ? line.dropLast() : line)
    }[...]
    let parts = lines.removeFirst().split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[0].isEmpty, parts[0].utf8.allSatisfy(Self.isToken),
      let place = Self.place(parts[1])
    else { throw HTTPFault(.badRequest, "the request line is malformed") }
    guard ["HTTP/1.1", "HTTP/1.0"].contains(parts[2]) else {
      throw HTTPFault(.versionNotSupported, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    }
    method = parts[0].uppercased()
    headers = try Self.headers(lines)
    let target = place.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let path = String(target[0]).removingPercentEncoding else {
      throw HTTPFault(.badRequest, "the path is malformed")
    }
    self.path = path
    query = target.count > 1 ? try Self.fields(target[1]) : []
    let connection = (headers["connection"] ?? "").lowercased()
    keepsAlive =
      parts[2] == "HTTP/1.1" ? !connection.contains("close") : connection.contains("keep-alive")
  }

  /// Path and query of a request's target, which may also be a whole address (RFC 9112, section 3.2).
  private static func place(_ target: Substring) -> Substring? {
    if target.first == "/" || target == "*" { return target }
    guard let scheme = ["http://", "https://"].first(where: target.lowercased().hasPrefix)
    else { return nil }
    let rest = target.dropFirst(scheme.count)
    let path = rest.drop { $0 != "/" && $0 != "?" }
    guard path.startIndex > rest.startIndex else { return nil }
    return path.first == "/" ? path : "/" + path
  }

  private static func headers(
    _ lines: ArraySlice<Substring>
  ) throws(HTTPFault) -> [String: String] {
    var headers: [String: String] = [:]
    for line in lines where !line.isEmpty {
      guard let colon = line.firstIndex(of: ":"), colon > line.startIndex,
        line[..<colon].utf8.allSatisfy(isToken), line.utf8.allSatisfy({ $0 >= 32 || $0 == 9 })
      else { throw HTTPFault(.badRequest, "a header is malformed") }
      let name = line[..<colon].lowercased()
      let value = String(line[line.index(after: colon)...]).trimmed
      // Two lengths that differ are how one request is smuggled inside another.
      guard name != "content-length" || headers[name] == nil || headers[name] == value else {
        throw HTTPFault(.badRequest, "there are two lengths of the body")
      }
      let isAgain = name != "content-length"
      headers[name] = headers[name].map { isAgain ? "\($0), \(value)" : $0 } ?? value
    }
    return headers
  }

  /// The fields of a query or of a form.
  static func fields(
    _ text: some StringProtocol
  ) throws(HTTPFault) -> [(name: String, value: String)] {
    var fields: [(name: String, value: String)] = []
    for pair in text.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let decoded = parts.map {
        String($0).replacing("+", with: " ").removingPercentEncoding
      }
      guard let name = decoded[0], let value = decoded.count > 1 ? decoded[1] : "" else {
        throw HTTPFault(.badRequest, "a field of the query is malformed")
      }
      fields.append((name, value))
    }
    return fields
  }

  private static func isToken(_ byte: UInt8) -> Bool {
    (0x21...0x7E).contains(byte) && !#""(),/:;<=>?@[\]{}"#.utf8.contains(byte)
  }
}

extension StringProtocol {
  /// The text without spaces and tabs at its ends.
  var trimmed: String {
    func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }
    let start = drop(while: isBlank)
    guard let last = start.lastIndex(where: { !isBlank($0) }) else { return "" }
    return String(start[...last])
  }
}
