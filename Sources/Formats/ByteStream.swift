import Foundation

/// Bytes that arrive one after the other, from a pipe for example.
package final class ByteStream {
  private let descriptor: Int32
  private let name: String
  private var buffer: [UInt8] = []
  private var place = 0
  private static let chunk = 1 << 16

  /// Reads from an open file.
  ///
  /// - Parameters:
  ///   - descriptor: The open file, which stays open.
  ///   - name: What errors call it.
  package init(descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  /// Takes the next byte.
  ///
  /// - Returns: The byte, or nil at the end.
  /// - Throws: ``FormatError`` when reading fails.
  package func next() throws -> UInt8? {
    if place == buffer.count { try refill() }
    guard place < buffer.count else { return nil }
    defer { place += 1 }
    return buffer[place]
  }

  /// Looks at the next bytes without taking them.
  ///
  /// - Parameter count: How many.
  /// - Returns: The bytes, fewer at the end.
  /// - Throws: ``FormatError`` when reading fails.
  package func peek(_ count: Int) throws -> [UInt8] {
    while buffer.count - place < count {
      let before = buffer.count - place
      try refill()
      if buffer.count - place == before { break }
    }
    return Array(buffer[place..<min(buffer.count, place + count)])
  }

  /// Takes bytes.
  ///
  /// - Parameter count: How many.
  /// - Returns: The bytes, fewer at the end; memory is taken as they come.
  /// - Throws: ``FormatError`` when reading fails.
  package func take(_ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      if place == buffer.count { try refill() }
      let part = buffer[place..<min(buffer.count, place + count - bytes.count)]
      guard !part.isEmpty else { break }
      bytes += part
      place += part.count
    }
    return bytes
  }

  /// Takes a line without its end.
  ///
  /// - Parameter most: The longest line in bytes.
  /// - Returns: The line, or nil when none ends within so many bytes.
  /// - Throws: ``FormatError`` when reading fails.
  package func line(most: Int) throws -> String? {
    var bytes: [UInt8] = []
    while bytes.count <= most, let byte = try next() {
      if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(byte)
    }
    return nil
  }

  /// Drops what was taken and reads on, as much as is there.
  private func refill() throws {
    buffer.removeFirst(place)
    place = 0
    let old = buffer.count
    buffer += [UInt8](repeating: 0, count: Self.chunk)
    while true {
      let count = buffer.withUnsafeMutableBytes {
        read(descriptor, $0.baseAddress.map { $0 + old }, Self.chunk)
      }
      if count >= 0 {
        buffer.removeLast(Self.chunk - count)
        return
      }
      guard errno == EINTR else {
        buffer.removeLast(Self.chunk)
        throw FormatError(name, "cannot be read: \(String(cString: strerror(errno)))")
      }
    }
  }
}
