import Foundation

/// The path of a file inside a zip archive, which goes on behind the archive's own:
/// `model.baron/clip/config.json`.
///
/// Readers take such a path like any other, so what lies in a folder may as well lie in one file.
struct PackedPath {
  /// The archive's path.
  let archive: String
  /// The entry's name.
  let member: String

  /// Splits a path, or nil when no file stands where it needs a folder.
  init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) != 0, errno == ENOTDIR else { return nil }
    var rest = path[...]
    while let slash = rest.lastIndex(of: "/"), slash > rest.startIndex {
      rest = rest[..<slash]
      if stat(String(rest), &status) == 0 { break }
      guard errno == ENOTDIR else { return nil }
    }
    guard status.st_mode & S_IFMT == S_IFREG, rest.endIndex < path.endIndex else { return nil }
    guard Self.isArchive(String(rest)) else { return nil }
    archive = String(rest)
    member = path[rest.endIndex...].split(separator: "/").joined(separator: "/")
  }

  private static func isArchive(_ path: String) -> Bool {
    guard let (descriptor, status) = try? RegularFile.open(path) else { return false }
    defer { close(descriptor) }
    var magic = [UInt8](repeating: 0, count: 4)
    let count = magic.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
    return status.st_size >= 4 && count == 4 && magic == [0x50, 0x4B, 3, 4]
  }
}
