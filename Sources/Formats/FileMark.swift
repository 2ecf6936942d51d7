import Foundation

/// What tells one state of a file from another, without reading all of a large one.
package struct FileMark: Equatable, Sendable {
  private static let blockSize = 1 << 16
  private static let blocks = 17

  /// The absolute path with links resolved.
  package let location: String
  /// The size in bytes.
  package let size: Int
  /// The modification time in seconds since 1970.
  package let seconds: Int
  /// The part of the modification time below a second.
  package let nanoseconds: Int
  /// SHA-256 over 17 blocks of 64 KiB from the first to the last byte.
  package let digest: [UInt8]

  package init(location: String, size: Int, seconds: Int, nanoseconds: Int, digest: [UInt8]) {
    self.location = location
    self.size = size
    self.seconds = seconds
    self.nanoseconds = nanoseconds
    self.digest = digest
  }

  /// The mark of a file as it is now; nil when it cannot be read, and its reader then says why.
  ///
  /// - Parameter path: The file's path.
  package init?(path: String) {
    var status = stat()
    let archive = PackedPath(path)?.archive
    guard stat(archive ?? path, &status) == 0, let file = try? MappedFile(path: path) else {
      return nil
    }
    location = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    size = archive == nil ? Int(status.st_size) : file.bytes.count
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
    guard file.bytes.count == size else { return nil }
    guard let digest = try? file.whole({ Self.digest(of: file.bytes) }) else { return nil }
    self.digest = digest
  }

  private static func digest(of bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var samples = SHA256()
    let last = max(0, bytes.count - blockSize)
    for block in 0..<blocks {
      let start = last * block / (blocks - 1)
      let end = min(bytes.count, start + blockSize)
      samples.update(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    }
    return samples.bytes()
  }
}
