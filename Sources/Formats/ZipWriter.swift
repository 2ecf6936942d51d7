import Foundation

/// Writes zip archives of plainly stored entries, each of which begins at a multiple of 64 bytes, so
/// that a reader can map its numbers where they stand.
///
/// Entries have no time of their own: equal contents give an equal file.
package struct ZipWriter {
  /// A file of the archive to be.
  package struct Part {
    /// The name with its folders, separated by "/".
    package let name: String
    fileprivate let content: Content

    /// A part whose content is at hand.
    ///
    /// - Parameters:
    ///   - name: The name in the archive.
    ///   - data: The content.
    package init(_ name: String, data: Data) {
      self.name = name
      content = .data(data)
    }

    /// A part that is a file now.
    ///
    /// - Parameters:
    ///   - name: The name in the archive.
    ///   - path: The file's path.
    package init(_ name: String, file path: String) {
      self.name = name
      content = .file(path)
    }

    /// Hands the content to a function.
    ///
    /// - Parameter body: Gets the bytes, which are valid during the call only.
    /// - Throws: ``FormatError`` when the file cannot be read, or what `body` throws.
    package func read<Result>(
      _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
      switch content {
      case .data(let data): try data.withUnsafeBytes(body)
      case .file(let path): try MappedFile.read(path, body)
      }
    }
  }

  fileprivate enum Content {
    case data(Data)
    case file(String)
  }

  /// What the directory says of a part that is written.
  private struct Record {
    let name: [UInt8]
    let checksum: UInt32
    let size: UInt32
    let offset: UInt32
  }

  private static let alignment = 64
  private static let headerSize = 30
  /// The extra field that alignment is made with; the number is the one that Android's tools use.
  private static let paddingKind: UInt16 = 0xD935

  /// Writes an archive beside the target and renames it into place.
  ///
  /// - Parameters:
  ///   - parts: The files in order, of different names.
  ///   - path: The target's path; its folder must exist.
  /// - Throws: ``FormatError`` when a part cannot be read, the archive would have 4 GiB or more, or the
  ///   disk refuses; the target is then as it was.
  package static func write(_ parts: [Part], to path: String) throws {
    try AtomicFile.write(to: path) { descriptor in
      func append(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
      }
      var offset = 0
      var records: [Record] = []
      for part in parts {
        try part.read { bytes in
          let record = try record(of: part.name, bytes, at: offset, path: path)
          let header = header(record)
          try append(header)
          try AtomicFile.append(bytes, to: descriptor, path: path)
          records.append(record)
          offset += header.count + bytes.count
        }
      }
      let directory = records.flatMap(entry)
      try append(directory)
      try append(end(count: records.count, size: directory.count, offset: offset))
    }
  }

  private static func record(
    of name: String, _ bytes: UnsafeRawBufferPointer, at offset: Int, path: String
  ) throws -> Record {
    let name = Array(name.utf8)
    // With room for the directory, whose offset has 32 bits as well.
    guard name.count <= 1 << 12, offset + bytes.count < 0xFFFF_FFFF - 1 << 24 else {
      throw FormatError(path, "would have 4 GiB or more, which this kind of archive cannot hold")
    }
    return Record(
      name: name, checksum: Checksum.crc32(bytes), size: UInt32(bytes.count),
      offset: UInt32(offset))
  }

  /// The header before a part's bytes, as long as the alignment wants it.
  private static func header(_ record: Record) -> [UInt8] {
    let plain = Int(record.offset) + headerSize + record.name.count + 4
    let padding = (alignment - plain % alignment) % alignment
    return little(UInt32(0x0403_4B50)) + common(record, extra: 4 + padding) + record.name
      + little(paddingKind) + little(UInt16(padding)) + [UInt8](repeating: 0, count: padding)
  }

  /// Version, flags, method, time, checksum, sizes and lengths: what header and directory share.
  private static func common(_ record: Record, extra: Int) -> [UInt8] {
    let midnight = little(UInt16(0)) + little(UInt16(0x21))  // 1980-01-01, the first that there is
    return little(UInt16(20)) + little(UInt16(1 << 11)) + little(UInt16(0)) + midnight
      + little(record.checksum) + little(record.size) + little(record.size)
      + little(UInt16(record.name.count)) + little(UInt16(extra))
  }

  private static func entry(_ record: Record) -> [UInt8] {
    // No comment, first disk, no attributes.
    little(UInt32(0x0201_4B50)) + little(UInt16(20)) + common(record, extra: 0)
      + [UInt8](repeating: 0, count: 10) + little(record.offset) + record.name
  }

  private static func end(count: Int, size: Int, offset: Int) -> [UInt8] {
    little(UInt32(0x0605_4B50)) + little(UInt32(0)) + little(UInt16(count)) + little(UInt16(count))
      + little(UInt32(size)) + little(UInt32(offset)) + little(UInt16(0))
  }

  private static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
