import Foundation

/// A client that does exactly what it is told, right or wrong.
package final class RawClient: @unchecked Sendable {
  // Sendable: the number never changes, and calls on it may overlap.

  private let descriptor: Int32

  /// Connects to a port of this machine; nil when nobody listens there.
  ///
  /// - Parameter port: The port.
  package init?(port: UInt16) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var patience = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { return nil }
  }

  deinit { close(descriptor) }

  /// Sends a text, as far as the other side takes it.
  ///
  /// - Parameter text: The text.
  package func send(_ text: String) { send(Array(text.utf8)) }

  /// Sends bytes, as far as the other side takes them.
  ///
  /// - Parameter bytes: The bytes.
  package func send(_ bytes: [UInt8]) {
    var done = 0
    while done < bytes.count {
      let count = bytes[done...].withUnsafeBytes {
        Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      done += count
    }
  }

  /// Says that nothing more will come.
  package func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// What comes until the text ends with something, or the other side closes.
  ///
  /// - Parameter end: The text to wait for; nil waits for the other side to close.
  package func read(until end: String? = nil) -> String {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(descriptor, &piece, piece.count, 0)
      guard count > 0 else { break }
      bytes += piece[..<count]
      if let end, String(decoding: bytes, as: UTF8.self).hasSuffix(end) { break }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension RawClient {
  /// What ``read(until:)`` gives, without keeping one of the threads that tasks share.
  ///
  /// - Parameter end: The text to wait for; nil waits for the other side to close.
  package func answer(until end: String? = nil) async -> String {
    await withCheckedContinuation { continuation in
      Thread { continuation.resume(returning: self.read(until: end)) }.start()
    }
  }

  /// Sends a request on a connection of its own and reads the answer.
  ///
  /// - Parameters:
  ///   - port: The server's port.
  ///   - target: Path and query.
  ///   - method: The method.
  ///   - type: The body's media type.
  ///   - body: The body.
  /// - Returns: The status and the body; status 0 when nobody answers.
  package static func ask(
    port: UInt16, _ target: String, method: String = "GET", type: String = "",
    body: [UInt8] = []
  ) -> (status: Int, body: String) {
    guard let client = RawClient(port: port) else { return (0, "") }
    client.send(
      Array(
        "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".utf8)
        + Array("Content-Type: \(type)\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body)
    let answer = client.read()
    let status = answer.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    let start = answer.range(of: "\r\n\r\n")?.upperBound ?? answer.endIndex
    return (status, String(answer[start...]))
  }
}
