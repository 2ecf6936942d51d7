import Foundation

/// A file that takes the place of another when it is finished, and leaves no trace when it is not.
package final class PendingFile {
  /// The target's path.
  package let path: String
  /// The open file beside the target.
  package let descriptor: Int32
  private let temporary: String
  private var buffer: [UInt8] = []
  private var isOpen = true
  private static let flushSize = 1 << 16

  /// Begins a file.
  ///
  /// - Parameter path: The target's path; its folder must exist.
  /// - Throws: ``FormatError`` when the folder cannot be written.
  package init(_ path: String) throws {
    AtomicFile.removeLeftovers(of: path)
    self.path = path
    (temporary, descriptor) = try AtomicFile.makePartialFile(of: path)
  }

  deinit {
    guard isOpen else { return }
    close(descriptor)
    unlink(temporary)
  }

  /// Adds a text, sooner or later.
  ///
  /// - Parameter text: The text.
  /// - Throws: ``FormatError`` when the system refuses, a full disk for example.
  package func append(_ text: String) throws {
    buffer += text.utf8
    if buffer.count >= Self.flushSize { try flush() }
  }

  /// Writes all of it and puts it in the target's place.
  ///
  /// - Throws: ``FormatError``; the target is then as it was.
  package func finish() throws {
    try flush()
    guard fsync(descriptor) == 0 else {
      throw FormatError(path, "cannot be synced: \(String(cString: strerror(errno)))")
    }
    isOpen = false
    // Not closed before, as it is locked until then.
    defer { close(descriptor) }
    guard rename(temporary, path) == 0 else {
      let reason = String(cString: strerror(errno))
      unlink(temporary)
      throw FormatError(path, "cannot be replaced: \(reason)")
    }
  }

  private func flush() throws {
    try buffer.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
    buffer.removeAll(keepingCapacity: true)
  }
}
