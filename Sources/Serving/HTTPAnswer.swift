import Formats

/// The status of an answer.
enum HTTPStatus: Int, Sendable {
  case ok = 200
  case badRequest = 400
  case notFound = 404
  case methodNotAllowed = 405
  case requestTimeout = 408
  case tooLarge = 413
  case unsupportedMediaType = 415
  case unprocessable = 422
  case headTooLarge = 431
  case internalError = 500
  case notImplemented = 501
  case unavailable = 503
  case versionNotSupported = 505

  /// The words after the number.
  var reason: String {
    switch self {
    case .ok: "OK"
    case .badRequest: "Bad Request"
    case .notFound: "Not Found"
    case .methodNotAllowed: "Method Not Allowed"
    case .requestTimeout: "Request Timeout"
    case .tooLarge: "Content Too Large"
    case .unsupportedMediaType: "Unsupported Media Type"
    case .unprocessable: "Unprocessable Content"
    case .headTooLarge: "Request Header Fields Too Large"
    case .internalError: "Internal Server Error"
    case .notImplemented: "Not Implemented"
    case .unavailable: "Service Unavailable"
    case .versionNotSupported: "HTTP Version Not Supported"
    }
  }
}

/// Why a request gets no other answer than this.
struct HTTPFault: Error, Equatable {
  /// The status.
  let status: HTTPStatus
  /// One line: what is wrong and what to do.
  let reason: String
  /// Seconds after which it is worth while to ask again.
  var retryAfter: Int?

  init(_ status: HTTPStatus, _ reason: String, retryAfter: Int? = nil) {
    self.status = status
    self.reason = reason
    self.retryAfter = retryAfter
  }
}

/// An answer.
struct HTTPAnswer: Sendable, Equatable {
  /// The status.
  var status: HTTPStatus = .ok
  /// The media type of the body.
  var type: String
  /// Further headers.
  var headers: [(name: String, value: String)] = []
  /// The body.
  var body: [UInt8]

  init(
    _ status: HTTPStatus = .ok, type: String, headers: [(name: String, value: String)] = [],
    body: [UInt8]
  ) {
    self.status = status
    self.type = type
    self.headers = headers
    self.body = body
  }

  /// An answer in JSON.
  static func json(_ value: JSONValue, _ status: HTTPStatus = .ok) -> HTTPAnswer {
    HTTPAnswer(status, type: "application/json", body: Array((value.text() + "\n").utf8))
  }

  /// What a request that cannot be answered gets: `{"error": …}`.
  init(_ fault: HTTPFault) {
    self = .json(["error": .string(fault.reason)], fault.status)
    if let seconds = fault.retryAfter { headers.append(("Retry-After", "\(seconds)")) }
  }

  /// The bytes to send.
  ///
  /// - Parameters:
  ///   - keepsAlive: Whether the connection stays open.
  ///   - hasBody: Whether the body goes with it; the answer to HEAD has none.
  func bytes(keepsAlive: Bool, hasBody: Bool = true) -> [UInt8] {
    var lines = [
      "HTTP/1.1 \(status.rawValue) \(status.reason)", "Content-Type: \(type)",
      "Content-Length: \(body.count)", "Connection: \(keepsAlive ? "keep-alive" : "close")",
      // A page of another place may not use what listens on this machine, nor frame it.
      "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY", "Cache-Control: no-store",
    ]
    lines += headers.map { "\($0.name): \($0.value)" }
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (hasBody ? body : [])
  }

  static func == (left: HTTPAnswer, right: HTTPAnswer) -> Bool {
    left.bytes(keepsAlive: true) == right.bytes(keepsAlive: true)
  }
}
