/// How a stored picture must be turned to be viewed (EXIF tag 0x0112).
package enum Orientation: Int, Sendable, CaseIterable {
  case upright = 1
  case mirrored = 2
  case upsideDown = 3
  case mirroredUpsideDown = 4
  case transposed = 5
  case turnClockwise = 6
  case transverse = 7
  case turnCounterclockwise = 8

  /// Reads the orientation from a JPEG file's EXIF block.
  ///
  /// No byte is trusted: whatever is missing, cut off or out of range means upright.
  ///
  /// - Parameter bytes: The whole file.
  package init(jpeg bytes: UnsafeRawBufferPointer) {
    self = Self.find(in: bytes) ?? .upright
  }

  /// Reads the orientation from a WebP file's EXIF chunk; what is missing or broken means upright.
  ///
  /// - Parameter bytes: The whole file.
  package init(webp bytes: UnsafeRawBufferPointer) {
    self = Self.find(inWebP: bytes) ?? .upright
  }

  private static func find(inWebP bytes: UnsafeRawBufferPointer) -> Orientation? {
    var reader = BoundedReader(bytes: bytes, from: 0, to: bytes.count)
    reader.littleEndian = true
    var place = 12
    while let kind = reader.text(place, 4), let length = reader.long(place + 4) {
      let end = min(place + 8 + length, bytes.count)
      if kind == "EXIF" {
        // Some writers keep the marker that JPEG files need.
        let start = place + 8 + (reader.text(place + 8, 4) == "Exif" ? 6 : 0)
        return inTIFF(BoundedReader(bytes: bytes, from: start, to: end))
      }
      place = end + length % 2
    }
    return nil
  }

  private static func find(in bytes: UnsafeRawBufferPointer) -> Orientation? {
    let reader = BoundedReader(bytes: bytes, from: 0, to: bytes.count)
    guard reader.byte(0) == 0xFF, reader.byte(1) == 0xD8 else { return nil }
    var place = 2
    while let mark = reader.byte(place), let kind = reader.byte(place + 1) {
      // Decoders look for the next 0xFF, so junk and fill bytes between segments are stepped over.
      guard mark == 0xFF, kind != 0xFF, kind != 0x00 else {
        place += 1
        continue
      }
      if kind == 0xD9 || kind == 0xDA { return nil }
      if kind == 0x01 || (0xD0...0xD8).contains(kind) {
        place += 2
        continue
      }
      guard let length = reader.short(place + 2), length >= 2 else { return nil }
      let end = min(place + 2 + length, bytes.count)
      if kind == 0xE1 {
        let block = BoundedReader(bytes: bytes, from: place + 4, to: end)
        let isExif = [0x45, 0x78, 0x69, 0x66, 0, 0].enumerated().allSatisfy {
          block.byte($0.offset) == $0.element
        }
        if isExif {
          return inTIFF(BoundedReader(bytes: bytes, from: place + 10, to: end))
        }
      }
      place += 2 + length
    }
    return nil
  }

  private static func inTIFF(_ block: BoundedReader) -> Orientation? {
    var reader = block
    switch (reader.byte(0), reader.byte(1)) {
    case (0x49, 0x49): reader.littleEndian = true
    case (0x4D, 0x4D): reader.littleEndian = false
    default: return nil
    }
    guard reader.short(2) == 42, let directory = reader.long(4),
      let count = reader.short(directory)
    else { return nil }
    for entry in 0..<count {
      let place = directory + 2 + entry * 12
      guard let tag = reader.short(place) else { return nil }
      guard tag == 0x0112 else { continue }
      guard reader.short(place + 2) == 3, let value = reader.short(place + 8) else { return nil }
      return Orientation(rawValue: value)
    }
    return nil
  }

  /// Whether width and height change places.
  package var swapsSides: Bool { rawValue >= 5 }

  /// Turns a stored picture so that it can be viewed.
  ///
  /// - Parameter image: The picture as stored.
  /// - Returns: The picture as seen.
  package func apply(to image: Image) -> Image {
    guard self != .upright else { return image }
    let width = swapsSides ? image.height : image.width
    let height = swapsSides ? image.width : image.height
    // Source place of the first target pixel, and its steps along a target row and column.
    let (sourceWidth, sourceHeight) = (image.width, image.height)
    let last = sourceWidth * sourceHeight - 1
    let (first, alongRow, alongColumn): (Int, Int, Int) =
      switch self {
      case .upright: (0, 1, sourceWidth)
      case .mirrored: (sourceWidth - 1, -1, sourceWidth)
      case .upsideDown: (last, -1, -sourceWidth)
      case .mirroredUpsideDown: (last - sourceWidth + 1, 1, -sourceWidth)
      case .transposed: (0, sourceWidth, 1)
      case .turnClockwise: (last - sourceWidth + 1, -sourceWidth, 1)
      case .transverse: (last, -sourceWidth, -1)
      case .turnCounterclockwise: (sourceWidth - 1, sourceWidth, -1)
      }
    let bytes = [UInt8](unsafeUninitializedCapacity: image.bytes.count) { target, count in
      image.bytes.withUnsafeBufferPointer { source in
        var written = 0
        for row in 0..<height {
          var place = first + row * alongColumn
          for _ in 0..<width {
            target[written] = source[place * 3]
            target[written + 1] = source[place * 3 + 1]
            target[written + 2] = source[place * 3 + 2]
            written += 3
            place += alongRow
          }
        }
      }
      count = image.bytes.count
    }
    return Image(width: width, height: height, bytes: bytes)
  }
}

/// Reads numbers from a part of a buffer; whatever lies outside the part is nil.
private struct BoundedReader {
  let bytes: UnsafeRawBufferPointer
  let from: Int
  let to: Int
  var littleEndian = false

  func byte(_ offset: Int) -> Int? {
    guard offset >= 0, from + offset < to else { return nil }
    return Int(bytes[from + offset])
  }

  func text(_ offset: Int, _ length: Int) -> String? {
    let found = (0..<length).compactMap { byte(offset + $0) }
    guard found.count == length else { return nil }
    return String(decoding: found.map { UInt8($0) }, as: UTF8.self)
  }

  func short(_ offset: Int) -> Int? {
    guard let first = byte(offset), let second = byte(offset + 1) else { return nil }
    return littleEndian ? second << 8 | first : first << 8 | second
  }

  func long(_ offset: Int) -> Int? {
    guard let first = short(offset), let second = short(offset + 2) else { return nil }
    return littleEndian ? second << 16 | first : first << 16 | second
  }
}
