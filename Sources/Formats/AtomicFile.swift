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

  /// A free name beside a target for what is going to replace it.
  ///
  /// - Parameter path: The target's path.
  /// - Returns: The path with the machine's name, a number and `partial` at the end.
  package static func partialPath(of path: String) -> String {
    let number = String(UInt32.random(in: 0...UInt32.max), radix: 16)
    return "\(path).\(Machine.namePart)-\(number).partial"
  }

  /// Removes what ended processes of this machine left beside a target: files and folders called as
  /// ``partialPath(of:)`` does.
  ///
  /// - Parameter path: The target's path.
  package static func removeLeftovers(of path: String) {
    let url = URL(filePath: path)
    let folder = url.deletingLastPathComponent().path
    let prefix = "\(url.lastPathComponent).\(Machine.namePart)-"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    for name in names where name.hasPrefix(prefix) && name.hasSuffix(".partial") {
      let number = name.dropFirst(prefix.count).dropLast(".partial".count)
      if UInt32(number, radix: 16) != nil { OwnerLock.removeForgotten("\(folder)/\(name)") }
    }
  }

  /// Makes a folder that is going to replace a target, or become it.
  ///
  /// - Parameter path: The target's path.
  /// - Returns: The folder's path, and a descriptor to be closed when it has got its name: until then
  ///   no other process takes it for forgotten.
  /// - Throws: ``FormatError`` when the place cannot be written.
  package static func makePartialFolder(of path: String) throws -> (path: String, lock: Int32) {
    for _ in 0..<mostTries {
      let partial = partialPath(of: path)
      guard mkdir(partial, 0o777) == 0 else {
        if errno == EEXIST { continue }
        break
      }
      let descriptor = OwnerLock.openFolder(partial)
      if descriptor < 0 || OwnerLock.claim(descriptor, partial) { return (partial, descriptor) }
      close(descriptor)
    }
    throw FormatError(path, "cannot be made: \(String(cString: strerror(errno)))")
  }

  /// Makes a file that is going to replace a target.
  ///
  /// - Parameter path: The target's path.
  /// - Returns: The file's path and its descriptor, while which is open no other process takes it for
  ///   forgotten.
  /// - Throws: ``FormatError`` when the place cannot be written.
  static func makePartialFile(of path: String) throws -> (path: String, descriptor: Int32) {
    for _ in 0..<mostTries {
      let partial = partialPath(of: path)
      let descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else {
        if errno == EEXIST { continue }
        break
      }
      if OwnerLock.claim(descriptor, partial) { return (partial, descriptor) }
      close(descriptor)
    }
    throw FormatError(path, "cannot be written: \(String(cString: strerror(errno)))")
  }

  /// So often what another process took away is made again.
  private static let mostTries = 100

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
