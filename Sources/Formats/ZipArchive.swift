import CZlib

/// Reads a zip archive, with zip64 and with stored or deflated entries, from a mapped file.
///
/// The central directory is checked against the file's length once; contents are read and checked
/// against their checksums on demand.
package final class ZipArchive: Sendable {
  /// One file of the archive.
  package struct Entry: Sendable, Equatable {
    /// The name with its folders, separated by "/".
    package let name: String
    /// The content's length in bytes.
    package let size: Int
    let storedSize: Int
    let method: Int
    let checksum: UInt32
    let headerOffset: Int
  }

  /// The file's path as it was given.
  package let path: String
  /// The archive's length in bytes.
  package var byteCount: Int { file.bytes.count }
  /// The entries in the order of the central directory.
  package let entries: [Entry]
  private let file: MappedFile
  private let indexByName: [String: Int]

  /// Opens an archive.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``FormatError`` when the file is missing, no zip archive, cut short or inconsistent.
  package init(path: String) throws {
    let file = try MappedFile(alone: path)
    let entries = try file.whole { try ZipDirectory(bytes: file.bytes, path: path).entries() }
    var indexByName: [String: Int] = [:]
    for (index, entry) in entries.enumerated() {
      guard indexByName.updateValue(index, forKey: entry.name) == nil else {
        throw FormatError(path, place: "entry \"\(entry.name)\"", "stands twice in the archive")
      }
    }
    self.path = path
    self.file = file
    self.entries = entries
    self.indexByName = indexByName
  }

  /// The entry with a name, or nil.
  ///
  /// - Parameter name: The name with its folders.
  package func entry(named name: String) -> Entry? {
    indexByName[name].map { entries[$0] }
  }

  /// Hands an entry's content to a function; nothing is copied when the entry is stored plainly.
  ///
  /// - Parameters:
  ///   - entry: An entry of this archive.
  ///   - body: Gets the content, which is valid during the call only.
  /// - Throws: ``FormatError`` when the entry is damaged, encrypted or packed in an unknown way, or
  ///   what `body` throws.
  package func read<Result>(
    _ entry: Entry, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    try file.whole { try readStored(entry, body) }
  }

  /// The content of an entry where it stands in the file; valid while the archive lives.
  ///
  /// - Throws: ``FormatError`` when the entry is damaged, encrypted or packed.
  func plainBytes(of entry: Entry) throws -> UnsafeRawBufferPointer {
    let place = "entry \"\(entry.name)\""
    return try file.whole {
      let stored = try storedBytes(of: entry, place: place)
      guard entry.method == 0, entry.size == entry.storedSize else {
        throw FormatError(
          path, place: place, "is packed; write the archive again without compression")
      }
      try check(stored, entry, place)
      return stored
    }
  }

  /// Checks that the file is still as long as it was.
  ///
  /// - Throws: ``FormatError`` as ``MappedFile/check()``.
  func check() throws { try file.check() }

  private func readStored<Result>(
    _ entry: Entry, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    let place = "entry \"\(entry.name)\""
    let stored = try storedBytes(of: entry, place: place)
    switch entry.method {
    case 0:
      guard entry.size == entry.storedSize else {
        throw FormatError(
          path, place: place,
          "is stored plainly but has sizes \(entry.storedSize) and \(entry.size)")
      }
      defer { forget(stored) }
      try check(stored, entry, place)
      return try body(stored)
    case 8:
      guard entry.size <= Inflater.limit(packed: entry.storedSize) else {
        throw FormatError(
          path, place: place,
          "says that \(entry.storedSize, "byte") \(entry.storedSize.verb("unpacks", "unpack")) to "
            + "\(entry.size), more than "
            + "\(Inflater.largestRatio) times as many; write the file again without compression")
      }
      var content: [UInt8] = []
      let inflater = try Inflater(stored, windowBits: -MAX_WBITS, source: "\(path): \(place)")
      try inflater.appendStream(to: &content, limit: entry.size)
      guard content.count == entry.size else {
        throw FormatError(
          path, place: place, "unpacks to \(content.count, "byte") instead of \(entry.size)")
      }
      return try content.withUnsafeBytes {
        try check($0, entry, place)
        return try body($0)
      }
    default:
      throw FormatError(
        path, place: place,
        "uses compression method \(entry.method); only stored and deflated entries can be read")
    }
  }

  /// Gives the memory of bytes that were read back to the system.
  func forget(_ stored: UnsafeRawBufferPointer) {
    guard let first = stored.baseAddress, let base = file.bytes.baseAddress else { return }
    file.release(first - base..<first - base + stored.count)
  }

  private func storedBytes(of entry: Entry, place: String) throws -> UnsafeRawBufferPointer {
    let bytes = file.bytes
    let start = entry.headerOffset
    guard start <= bytes.count - 30, bytes.integer(UInt32.self, at: start) == 0x0403_4B50 else {
      throw FormatError(path, place: place, "has no local header at byte \(start)")
    }
    guard bytes.integer(UInt16.self, at: start + 6) & 1 == 0 else {
      throw FormatError(path, place: place, "is encrypted")
    }
    let nameLength = Int(bytes.integer(UInt16.self, at: start + 26))
    let extraLength = Int(bytes.integer(UInt16.self, at: start + 28))
    let first = start + 30 + nameLength + extraLength
    guard first <= bytes.count, entry.storedSize <= bytes.count - first else {
      throw FormatError(path, place: place, "reaches past the end of the file")
    }
    return UnsafeRawBufferPointer(rebasing: bytes[first..<first + entry.storedSize])
  }

  private func check(_ content: UnsafeRawBufferPointer, _ entry: Entry, _ place: String) throws {
    let found = Checksum.crc32(content)
    guard found == entry.checksum else {
      throw FormatError(
        path, place: place, "is damaged: its checksum differs; copy or download the file again")
    }
  }
}

extension UnsafeRawBufferPointer {
  /// The little-endian integer at an offset that the caller has checked.
  func integer<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int) -> Value {
    Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }
}
