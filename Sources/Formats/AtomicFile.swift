import Foundation

/// Writing files so that a reader sees the old content or the new, never a part.
package enum AtomicFile {
  /// Writes data beside the target, syncs it to disk and renames it into place.
  ///
  /// - Parameters:
  ///   - data: The new content.
  ///   - path: The target's path; its folder must exist.
  /// - Throws: ``FormatError`` when the disk is full or the folder is missing or read-only; the
  ///   target is then as it was and no temporary file is left.
  package static func write(_ data: Data, to path: String) throws {
    try write(to: path) { descriptor in
      try data.withUnsafeBytes { try append($0, to: descriptor, path: path) }
    }
  }

  /// Writes a file in pieces: `body` gets an open descriptor and uses ``append(_:to:path:)``.
  ///
  /// - Parameters:
  ///   - path: The target's path; its folder must exist.
  ///   - body: Writes the content.
  /// - Throws: ``FormatError``, or what `body` throws; the target is then as it was.
  package static func write(to path: String, _ body: (Int32) throws -> Void) throws {
    let pending = try PendingFile(path)
    try body(pending.descriptor)
    try pending.finish()
  }

  /// What processes that have ended left beside a target, called like it with their number and
  /// `partial` at the end.
  ///
  /// - Parameter path: The target's path.
  /// - Returns: Paths of files or folders.
  package static func leftovers(of path: String) -> [String] {
    let url = URL(filePath: path)
    let folder = url.deletingLastPathComponent().path
    let prefix = url.lastPathComponent + "."
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { name in
      guard name.hasPrefix(prefix), name.hasSuffix(".partial"),
        let process = Int32(name.dropFirst(prefix.count).dropLast(".partial".count)), process > 0
      else { return false }
      return process != getpid() && kill(process, 0) != 0 && errno == ESRCH
    }.map { "\(folder)/\($0)" }
  }

  /// Appends bytes to an open file, however many calls the system needs.
  ///
  /// - Parameters:
  ///   - bytes: What to append.
  ///   - descriptor: The open file.
  ///   - path: The file's name for the error.
  /// - Throws: ``FormatError`` when the system refuses, a full disk for example.
  package static func append(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String
  ) throws {
    var done = 0
    while done < bytes.count {
      let count = Foundation.write(
        descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
      if count < 0 {
        if errno == EINTR { continue }
        throw FormatError(path, "cannot be written: \(String(cString: strerror(errno)))")
      }
      done += count
    }
  }
}
