import CFileGuard
import Foundation

/// The bytes of a file for as long as the object lives: a small file is copied, a large one is mapped.
///
/// A reader keeps the object; slices of ``bytes`` are valid while it does. When another program makes
/// a mapped file shorter, or its disk fails, the bytes behind become zeros; ``whole(_:)`` and
/// ``check()`` then throw, so nobody takes the zeros for content.
package final class MappedFile: @unchecked Sendable {
  // Sendable: the memory is private, read-only and never changes after `init` but by the guard.

  /// The file's path as it was given.
  package let path: String
  /// The file's bytes; empty for an empty file.
  package let bytes: UnsafeRawBufferPointer
  /// The number of the mapping's guard; nil for a copy, which cannot change.
  private let guardNumber: Int32?
  /// The file's numbers in the system, by which it is known again.
  private let identity: (device: dev_t, node: ino_t)
  /// The archive that the bytes are a part of; nil for a file of its own.
  private let archive: ZipArchive?

  /// Larger files are mapped: copies would take memory that the system cannot take back.
  private static let largestCopy = 4 << 20
  static let becameShorter =
    "became shorter while it was read, or its disk failed; start again when no program writes to it"

  /// Opens a file, or a file inside a zip archive by a path that goes on behind the archive's.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``FormatError`` when the file is missing, is no regular file or cannot be read, or when
  ///   it is a damaged or packed entry of an archive.
  package convenience init(path: String) throws {
    guard let packed = PackedPath(path) else {
      try self.init(alone: path)
      return
    }
    try self.init(packed, path: path)
  }

  private init(_ packed: PackedPath, path: String) throws {
    self.path = path
    let archive = try ZipArchive(path: packed.archive)
    guard let entry = archive.entry(named: packed.member) else {
      throw FormatError(path, "no such file: \(packed.archive) has no entry of this name")
    }
    bytes = try archive.plainBytes(of: entry)
    self.archive = archive
    guardNumber = nil
    identity = (0, 0)
  }

  /// Opens a file that is no part of another.
  init(alone path: String) throws {
    self.path = path
    archive = nil
    let (descriptor, status) = try RegularFile.open(path)
    defer { close(descriptor) }
    let size = Int(status.st_size)
    identity = (status.st_dev, status.st_ino)
    if size > Self.largestCopy {
      guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED
      else {
        throw FormatError(path, "cannot be mapped: \(String(cString: strerror(errno)))")
      }
      let number = file_guard_add(base, size)
      if number >= 0 {
        guardNumber = number
        bytes = UnsafeRawBufferPointer(start: base, count: size)
        return
      }
      munmap(base, size)
    }
    guardNumber = nil
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
    bytes = UnsafeRawBufferPointer(copy)
    do {
      try RegularFile.fill(copy, from: descriptor, path: path)
    } catch {
      copy.deallocate()
      throw error
    }
  }

  /// A file whose content was unpacked.
  init(_ file: MappedFile, content: [UInt8]) {
    path = file.path
    identity = file.identity
    archive = nil
    guardNumber = nil
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: content.count, alignment: 64)
    copy.copyBytes(from: content)
    bytes = UnsafeRawBufferPointer(copy)
  }

  /// Hands a file's bytes to a function.
  ///
  /// - Parameters:
  ///   - path: The file's path.
  ///   - body: Gets the bytes, which are valid during the call only.
  /// - Throws: ``FormatError`` as ``init(path:)`` and ``check()``, or what `body` throws.
  package static func read<Result>(
    _ path: String, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    let file = try MappedFile(path: path)
    return try file.whole { try body(file.bytes) }
  }

  /// Runs a function that reads ``bytes`` and checks that they were the file's all the time.
  ///
  /// - Parameter body: Reads the bytes.
  /// - Throws: ``FormatError`` of ``check()``, else what `body` throws.
  package func whole<Result>(_ body: () throws -> Result) throws -> Result {
    // The compiler may drop the file, and with it the memory, after its last use by name.
    defer { withExtendedLifetime(self) {} }
    let result: Result
    do {
      result = try body()
    } catch {
      try check()
      throw error
    }
    try check()
    return result
  }

  /// Checks that no byte behind the end of the file was read.
  ///
  /// - Throws: ``FormatError`` when the file became shorter or its disk failed.
  package func check() throws {
    if let archive { return try archive.check() }
    guard let guardNumber, file_guard_failed(guardNumber) || isShorter else { return }
    throw FormatError(path, Self.becameShorter)
  }

  /// Whether the file, if it still has its name, ends before the mapping: the rest of its last page reads
  /// as zeros without a signal.
  private var isShorter: Bool {
    var status = stat()
    return stat(path, &status) == 0
      && (status.st_dev, status.st_ino) == (identity.device, identity.node)
      && Int(status.st_size) < bytes.count
  }

  /// Gives the memory of whole pages back to the system; they are read again when touched.
  ///
  /// - Parameter range: The bytes that were read and will hardly be read again.
  package func release(_ range: Range<Int>) {
    if let archive {
      return archive.forget(UnsafeRawBufferPointer(rebasing: bytes[range]))
    }
    guard guardNumber != nil, let base = bytes.baseAddress else { return }
    let page = Int(getpagesize())
    let start = (range.lowerBound + page - 1) / page * page
    let end = min(range.upperBound, bytes.count) / page * page
    guard start < end else { return }
    madvise(UnsafeMutableRawPointer(mutating: base + start), end - start, MADV_DONTNEED)
  }

  deinit {
    guard archive == nil else { return }
    guard let guardNumber else {
      bytes.deallocate()
      return
    }
    file_guard_remove(guardNumber)
    if let base = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: base), bytes.count)
    }
  }
}
