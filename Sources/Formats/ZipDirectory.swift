/// Finds and reads a zip archive's central directory.
struct ZipDirectory {
  let bytes: UnsafeRawBufferPointer
  let path: String

  private struct Extent {
    var offset: Int
    var size: Int
    var count: Int
  }

  /// Reads all entries.
  func entries() throws -> [ZipArchive.Entry] {
    let extent = try findDirectory()
    guard extent.offset <= bytes.count, extent.size <= bytes.count - extent.offset else {
      throw FormatError(path, "the zip directory reaches past the end of the file")
    }
    let end = extent.offset + extent.size
    // An entry takes at least 46 bytes, so a false count cannot make us reserve much.
    guard extent.count <= extent.size / 46 else {
      throw FormatError(
        path, "the zip directory of \(extent.size, "byte") cannot hold \(extent.count, "entry")")
    }
    var entries: [ZipArchive.Entry] = []
    entries.reserveCapacity(extent.count)
    var position = extent.offset
    for index in 0..<extent.count {
      guard end - position >= 46, bytes.integer(UInt32.self, at: position) == 0x0201_4B50 else {
        throw FormatError(
          path, place: "byte \(position)", "entry \(index) of the zip directory is damaged")
      }
      let nameLength = Int(bytes.integer(UInt16.self, at: position + 28))
      let extraLength = Int(bytes.integer(UInt16.self, at: position + 30))
      let commentLength = Int(bytes.integer(UInt16.self, at: position + 32))
      let next = position + 46 + nameLength + extraLength + commentLength
      guard next <= end else {
        throw FormatError(
          path, place: "byte \(position)", "entry \(index) of the zip directory is cut short")
      }
      let nameStart = position + 46
      let name = String(
        decoding: UnsafeRawBufferPointer(rebasing: bytes[nameStart..<nameStart + nameLength]),
        as: UTF8.self)
      entries.append(
        try entry(
          at: position, name: name,
          extra: nameStart + nameLength..<nameStart + nameLength + extraLength))
      position = next
    }
    return entries
  }

  private func entry(
    at position: Int, name: String, extra: Range<Int>
  ) throws -> ZipArchive.Entry {
    var size = UInt64(bytes.integer(UInt32.self, at: position + 24))
    var storedSize = UInt64(bytes.integer(UInt32.self, at: position + 20))
    var offset = UInt64(bytes.integer(UInt32.self, at: position + 42))
    // Fields that do not fit in 32 bits are all ones here and stand in the zip64 extra field.
    var field = extra.lowerBound
    while extra.upperBound - field >= 4 {
      let kind = bytes.integer(UInt16.self, at: field)
      var value = field + 4
      let end = value + Int(bytes.integer(UInt16.self, at: field + 2))
      guard end <= extra.upperBound else { break }
      func wide(_ current: UInt64) -> UInt64 {
        guard current == 0xFFFF_FFFF, end - value >= 8 else { return current }
        defer { value += 8 }
        return bytes.integer(UInt64.self, at: value)
      }
      if kind == 1 {
        size = wide(size)
        storedSize = wide(storedSize)
        offset = wide(offset)
      }
      field = end
    }
    let length = UInt64(bytes.count)
    guard storedSize <= length, offset <= length, size <= UInt64(Int32.max) << 16 else {
      throw FormatError(path, place: "entry \"\(name)\"", "reaches past the end of the file")
    }
    return ZipArchive.Entry(
      name: name, size: Int(size), storedSize: Int(storedSize),
      method: Int(bytes.integer(UInt16.self, at: position + 10)),
      checksum: bytes.integer(UInt32.self, at: position + 16), headerOffset: Int(offset))
  }

  /// Finds the end record, which stands last, before a comment of at most 65535 bytes.
  private func findDirectory() throws -> Extent {
    var position = bytes.count - 22
    let lowest = max(0, position - 65_535)
    while position >= lowest {
      if bytes.integer(UInt32.self, at: position) == 0x0605_4B50,
        Int(bytes.integer(UInt16.self, at: position + 20)) == bytes.count - position - 22
      {
        return try extent(endRecord: position)
      }
      position -= 1
    }
    let begins = bytes.count >= 4 && bytes.integer(UInt32.self, at: 0) == 0x0403_4B50
    throw FormatError(
      path,
      begins
        ? "is a zip archive that is cut short; copy or download it again" : "is not a zip archive")
  }

  private func extent(endRecord position: Int) throws -> Extent {
    let extent = Extent(
      offset: Int(bytes.integer(UInt32.self, at: position + 16)),
      size: Int(bytes.integer(UInt32.self, at: position + 12)),
      count: Int(bytes.integer(UInt16.self, at: position + 10)))
    let narrow =
      extent.offset != 0xFFFF_FFFF && extent.size != 0xFFFF_FFFF && extent.count != 0xFFFF
    let locator = position - 20
    guard !narrow, locator >= 0, bytes.integer(UInt32.self, at: locator) == 0x0706_4B50 else {
      return extent
    }
    let record = bytes.integer(UInt64.self, at: locator + 8)
    guard bytes.count >= 56, record <= UInt64(bytes.count - 56),
      bytes.integer(UInt32.self, at: Int(record)) == 0x0606_4B50
    else {
      throw FormatError(path, "the zip64 end record is damaged")
    }
    let count = bytes.integer(UInt64.self, at: Int(record) + 32)
    let size = bytes.integer(UInt64.self, at: Int(record) + 40)
    let offset = bytes.integer(UInt64.self, at: Int(record) + 48)
    let length = UInt64(bytes.count)
    guard count <= length, size <= length, offset <= length else {
      throw FormatError(path, "the zip directory reaches past the end of the file")
    }
    return Extent(offset: Int(offset), size: Int(size), count: Int(count))
  }
}
