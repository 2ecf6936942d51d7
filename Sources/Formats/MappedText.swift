/// Text files as they come: packed with gzip, or in UTF-16.
extension MappedFile {
  /// Opens a text file; what is packed with gzip or in UTF-16 or UTF-32 is brought into UTF-8 in
  /// memory.
  ///
  /// - Parameter path: The file's path.
  /// - Returns: The file; offsets are those of the text in UTF-8.
  /// - Throws: ``FormatError`` when the file is missing or cannot be read, or is no text of its encoding.
  package static func text(_ path: String) throws -> MappedFile {
    var file = try MappedFile(path: path)
    if file.bytes.starts(with: [0x1F, 0x8B]) {
      let unpacked = try file.whole {
        try Gzip.decompress(file.bytes, source: path, limit: 1 << 33)
      }
      file = MappedFile(file, content: unpacked)
    }
    let known =
      TextDecoding.byteOrderMark(file.bytes)
      ?? TextDecoding.unmarked(file.bytes).map { (encoding: $0, length: 0) }
    guard let mark = known, mark.encoding != "UTF-8" else { return file }
    let text = try file.whole {
      try TextDecoding.utf8(
        UnsafeRawBufferPointer(rebasing: file.bytes[mark.length...]), from: mark.encoding,
        source: path)
    }
    return MappedFile(file, content: text)
  }
}
