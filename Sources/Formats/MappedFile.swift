import Foundation

/// The bytes of a file, mapped into memory read-only for as long as the object lives.
///
/// A reader keeps the object; slices of ``bytes`` are valid while it does.
public final class MappedFile: @unchecked Sendable {
  // Sendable: the mapping is private, read-only and never changes after `init`.

  /// The file's path as it was given.
  public let path: String
  /// The file's bytes; empty for an empty file.
  public let bytes: UnsafeRawBufferPointer
  /// Whether the bytes are the file's own pages and no copy.
  private let isMapped: Bool

  /// Maps a file.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``FormatError`` when the file is missing, is a folder or cannot be read.
  public init(path: String) throws {
    self.path = path
    isMapped = true
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else {
      throw FormatError(path, errno == ENOENT ? "no such file" : String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw FormatError(path, String(cString: strerror(errno)))
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw FormatError(path, "is not a regular file")
    }
    let size = Int(status.st_size)
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED
    else {
      throw FormatError(path, "cannot be mapped: \(String(cString: strerror(errno)))")
    }
    bytes = UnsafeRawBufferPointer(start: base, count: size)
  }

  /// A file whose content was unpacked.
  init(_ file: MappedFile, content: [UInt8]) {
    path = file.path
    isMapped = false
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: content.count, alignment: 64)
    copy.copyBytes(from: content)
    bytes = UnsafeRawBufferPointer(copy)
  }

  /// Gives the memory of whole pages back to the system; they are read again when touched.
  ///
  /// - Parameter range: The bytes that were read and will hardly be read again.
  public func release(_ range: Range<Int>) {
    guard isMapped, let base = bytes.baseAddress else { return }
    let page = Int(getpagesize())
    let start = range.lowerBound.roundedUp(toMultipleOf: page)
    let end = min(range.upperBound, bytes.count) / page * page
    guard start < end else { return }
    madvise(UnsafeMutableRawPointer(mutating: base + start), end - start, MADV_DONTNEED)
  }

  deinit {
    guard isMapped else {
      bytes.deallocate()
      return
    }
    if let base = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: base), bytes.count)
    }
  }
}
