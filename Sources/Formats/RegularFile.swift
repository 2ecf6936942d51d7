import Foundation

/// The one way to open what is to be read: a regular file, and nothing that makes the reader wait.
///
/// A pipe without a writer, a terminal or a socket would hold the program for ever, and a device gives
/// bytes without an end; they are refused by name before a byte is read.
package enum RegularFile {
  /// The most bytes that ``contents(_:limit:)`` takes: texts and lists, not weights.
  package static let largestText = 1 << 28

  /// Opens a file for reading.
  ///
  /// - Parameter path: The file's path.
  /// - Returns: The descriptor, which the caller closes, and what the system says of the file.
  /// - Throws: ``FormatError`` when the file is missing, may not be read or is no regular file.
  static func open(_ path: String) throws -> (descriptor: Int32, status: stat) {
    var status = stat()
    // A socket cannot be opened at all, so that the kind is asked first.
    guard stat(path, &status) == 0 else {
      throw FormatError(path, errno == ENOENT ? missing(path) : String(cString: strerror(errno)))
    }
    if let kind = kind(status) { throw FormatError(path, kind) }
    // Without waiting: the file may have been replaced by a pipe in between.
    let descriptor = Foundation.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw FormatError(path, String(cString: strerror(errno)))
    }
    guard fstat(descriptor, &status) == 0, kind(status) == nil else {
      close(descriptor)
      throw FormatError(path, kind(status) ?? "cannot be read")
    }
    return (descriptor, status)
  }

  /// Why nothing is at a path.
  private static func missing(_ path: String) -> String {
    path.contains("://")
      ? "no such file; addresses are not opened: download it and give the file" : "no such file"
  }

  /// Why a path is refused, or nil for a regular file.
  private static func kind(_ status: stat) -> String? {
    let name: String
    switch status.st_mode & S_IFMT {
    case S_IFREG: return nil
    case S_IFDIR: name = "folder"
    case S_IFIFO: name = "pipe"
    case S_IFSOCK: name = "socket"
    default: name = "device"
    }
    return "is a \(name), not a regular file"
  }

  /// Whether something is at a path: a file, a folder, or an entry of a zip archive.
  ///
  /// - Parameter path: The path.
  package static func exists(_ path: String) -> Bool {
    guard let packed = PackedPath(path) else { return access(path, F_OK) == 0 }
    return (try? ZipArchive(path: packed.archive))?.entry(named: packed.member) != nil
  }

  /// Reads a small file as a whole.
  ///
  /// - Parameters:
  ///   - path: The file's path.
  ///   - limit: The most bytes it may have.
  /// - Returns: Its bytes.
  /// - Throws: ``FormatError`` when it is missing, no regular file, too large or becomes shorter.
  package static func contents(_ path: String, limit: Int = largestText) throws -> Data {
    func check(_ size: Int) throws {
      guard size <= limit else {
        throw FormatError(
          path, "has \(size, "byte"), more than the \(limit) that such a file may have")
      }
    }
    if PackedPath(path) != nil {
      return try MappedFile.read(path) { bytes in
        try check(bytes.count)
        return Data(bytes)
      }
    }
    let (descriptor, status) = try open(path)
    defer { close(descriptor) }
    let size = Int(status.st_size)
    try check(size)
    var data = Data(count: size)
    try data.withUnsafeMutableBytes { try fill($0, from: descriptor, path: path) }
    return data
  }

  /// Reads a small text file as a whole.
  ///
  /// - Parameters:
  ///   - path: The file's path.
  ///   - limit: The most bytes it may have.
  /// - Throws: ``FormatError`` as ``contents(_:limit:)``, and when it is not UTF-8.
  package static func text(_ path: String, limit: Int = largestText) throws -> String {
    guard let text = String(validating: try contents(path, limit: limit), as: UTF8.self) else {
      throw FormatError(path, "is not UTF-8 text; save it as UTF-8")
    }
    return text
  }

  /// Fills memory with the file's bytes from the descriptor's place on.
  static func fill(
    _ target: UnsafeMutableRawBufferPointer, from descriptor: Int32, path: String
  ) throws {
    var done = 0
    while done < target.count {
      let count = Foundation.read(
        descriptor, target.baseAddress.map { $0 + done }, target.count - done)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else {
        throw FormatError(path, "cannot be read: \(String(cString: strerror(errno)))")
      }
      guard count > 0 else { throw FormatError(path, MappedFile.becameShorter) }
      done += count
    }
  }
}
