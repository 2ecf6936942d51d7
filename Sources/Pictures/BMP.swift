import Formats

/// Windows bitmaps: 1, 4, 8, 16, 24 and 32 bits a pixel, run lengths of 4 and 8, any masks.
///
/// No library of the distribution does this alone, and what there is to do is small. No byte is
/// trusted: whatever lies outside of the file is an error.
/// Source: "Bitmap Storage" of the Windows API.
enum BMP {
  /// What the two headers of a file say.
  private struct Header {
    var width = 0
    var height = 0
    var isTopDown = false
    var depth = 0
    var compression = 0
    /// Where pixels begin.
    var start = 0
    /// Where red, green and blue lie in a pixel of 16 or 32 bits.
    var masks: [UInt32] = []
    /// Red, green and blue of each colour.
    var palette: [[UInt8]] = []
  }

  private enum Compression {
    static let none = 0
    static let runs8 = 1
    static let runs4 = 2
    static let masks = 3
    static let masksWithAlpha = 6
  }

  /// The width and height that the header declares.
  static func size(of bytes: UnsafeRawBufferPointer) -> (width: Int, height: Int)? {
    guard let header = try? header(of: bytes, name: "") else { return nil }
    return (header.width, header.height)
  }

  static func decode(_ bytes: UnsafeRawBufferPointer, name: String) throws -> Image {
    let header = try header(of: bytes, name: name)
    let (width, height) = (header.width, header.height)
    try ImageDecoder.check(width: width, height: height, bytes: bytes.count, name: name)
    return try ImageDecoder.budget.hold(width * height * 4) {
      let pixels =
        header.compression == Compression.runs4 || header.compression == Compression.runs8
        ? unpacked(bytes, header)
        : try plain(bytes, header, name: name)
      return Image(width: width, height: height, bytes: pixels)
    }
  }

  private static func number(_ bytes: UnsafeRawBufferPointer, _ place: Int, _ size: Int) -> UInt32?
  {
    guard place >= 0, place + size <= bytes.count else { return nil }
    return (0..<size).reduce(0) { $0 | UInt32(bytes[place + $1]) << UInt32(8 * $1) }
  }

  private static func header(of bytes: UnsafeRawBufferPointer, name: String) throws -> Header {
    let cut = PictureError(path: name, reason: "the BMP header is cut off")
    func number(_ place: Int, _ size: Int = 4) throws -> Int {
      guard let value = Self.number(bytes, place, size) else { throw cut }
      return Int(value)
    }
    func signed(_ place: Int) throws -> Int { Int(Int32(truncatingIfNeeded: try number(place))) }
    var header = Header()
    header.start = try number(10)
    let length = try number(14)
    // The first version counts in 16 bits and has colours of three bytes.
    let isFirst = length == 12
    guard isFirst || length >= 40 else {
      throw PictureError(path: name, reason: "has a BMP header of \(length, "byte"), of no version")
    }
    header.width = isFirst ? try number(18, 2) : try signed(18)
    let height = isFirst ? try number(20, 2) : try signed(22)
    header.isTopDown = height < 0
    header.height = abs(height)
    header.depth = try number(isFirst ? 24 : 28, 2)
    header.compression = isFirst ? Compression.none : try number(30)
    try check(header, name: name)
    // Masks follow the 40 bytes, in later versions as a part of the header.
    let hasMasks =
      header.compression == Compression.masks || header.compression == Compression.masksWithAlpha
    if hasMasks {
      header.masks = try (0..<3).map { UInt32(try number(54 + 4 * $0)) }
    } else if header.depth == 16 {
      header.masks = [0x7C00, 0x03E0, 0x001F]
    } else if header.depth == 32 {
      header.masks = [0xFF0000, 0x00FF00, 0x0000FF]
    }
    guard header.depth <= 8 else { return header }
    let size = isFirst ? 3 : 4
    let declared = isFirst ? 0 : try number(46)
    let most = 1 << header.depth
    let first = 14 + length
    let count = min(declared == 0 ? most : declared, most, max(0, header.start - first) / size)
    header.palette = try (0..<count).map { color in
      try (0..<3).map { UInt8(try number(first + color * size + 2 - $0, 1)) }
    }
    return header
  }

  private static func check(_ header: Header, name: String) throws {
    let depths: [Int]
    switch header.compression {
    case Compression.none: depths = [1, 4, 8, 16, 24, 32]
    case Compression.runs8: depths = [8]
    case Compression.runs4: depths = [4]
    case Compression.masks, Compression.masksWithAlpha: depths = [16, 32]
    default: depths = []
    }
    guard depths.contains(header.depth) else {
      throw PictureError(
        path: name,
        reason: "is a BMP of \(header.depth) bits a pixel with compression \(header.compression), "
          + "which is not supported; convert it to PNG")
    }
  }

  private static func plain(
    _ bytes: UnsafeRawBufferPointer, _ header: Header, name: String
  ) throws -> [UInt8] {
    let (width, height, depth) = (header.width, header.height, header.depth)
    let stride = (width * depth + 31) / 32 * 4
    guard header.start + stride * height <= bytes.count else {
      throw PictureError(
        path: name,
        reason:
          "is cut off: it has \(bytes.count, "byte") and needs \(header.start + stride * height)")
    }
    return [UInt8](unsafeUninitializedCapacity: width * height * 3) { target, count in
      for y in 0..<height {
        let row = UnsafeRawBufferPointer(
          rebasing: bytes[(header.start + (header.isTopDown ? y : height - 1 - y) * stride)...])
        for x in 0..<width {
          let color = color(row, x, header)
          let place = (y * width + x) * 3
          (target[place], target[place + 1], target[place + 2]) = color
        }
      }
      count = width * height * 3
    }
  }

  /// The colour of a pixel of a row that lies in the file as a whole.
  private static func color(
    _ row: UnsafeRawBufferPointer, _ x: Int, _ header: Header
  ) -> (UInt8, UInt8, UInt8) {
    switch header.depth {
    case 24: return (row[3 * x + 2], row[3 * x + 1], row[3 * x])
    case 16, 32:
      let value = number(row, x * header.depth / 8, header.depth / 8) ?? 0
      return (
        level(value, header.masks[0]), level(value, header.masks[1]), level(value, header.masks[2])
      )
    default:
      let perByte = 8 / header.depth
      let shift = (perByte - 1 - x % perByte) * header.depth
      return color(Int(row[x / perByte] >> shift) & (1 << header.depth - 1), header.palette)
    }
  }

  private static func color(_ index: Int, _ palette: [[UInt8]]) -> (UInt8, UInt8, UInt8) {
    guard index < palette.count else { return (0, 0, 0) }
    return (palette[index][0], palette[index][1], palette[index][2])
  }

  /// The bits under a mask, scaled to 0...255.
  private static func level(_ value: UInt32, _ mask: UInt32) -> UInt8 {
    guard mask != 0 else { return 0 }
    let most = UInt64(mask >> UInt32(mask.trailingZeroBitCount))
    let bits = UInt64((value & mask) >> UInt32(mask.trailingZeroBitCount))
    return UInt8(truncatingIfNeeded: bits * 255 / most)
  }

  /// The pixels of a file of run lengths; those that it leaves out have the first colour.
  private static func unpacked(_ bytes: UnsafeRawBufferPointer, _ header: Header) -> [UInt8] {
    var runs = RunReader(bytes: bytes, place: header.start, isNarrow: header.depth == 4)
    let (width, height) = (header.width, header.height)
    var indices = [UInt8](repeating: 0, count: width * height)
    runs.read { x, y, index in
      guard x < width, y < height else { return y < height }
      indices[(header.isTopDown ? y : height - 1 - y) * width + x] = index
      return true
    }
    return indices.flatMap { index in
      let color = color(Int(index), header.palette)
      return [color.0, color.1, color.2]
    }
  }
}

/// Reads run lengths of 4 or 8 bits a pixel.
private struct RunReader {
  let bytes: UnsafeRawBufferPointer
  var place: Int
  let isNarrow: Bool

  private mutating func next() -> Int? {
    guard place >= 0, place < bytes.count else { return nil }
    defer { place += 1 }
    return Int(bytes[place])
  }

  /// Gives each pixel's column, row from the first stored one, and colour, until `put` says no.
  mutating func read(_ put: (Int, Int, UInt8) -> Bool) {
    var (x, y) = (0, 0)
    while let count = next(), let value = next() {
      switch (count, value) {
      case (0, 0): (x, y) = (0, y + 1)
      case (0, 1): return
      case (0, 2):
        guard let right = next(), let down = next() else { return }
        (x, y) = (x + right, y + down)
      case (0, let length):
        let stored = isNarrow ? (length + 1) / 2 : length
        var taken: [Int] = []
        for _ in 0..<stored { taken.append(next() ?? 0) }
        place += stored % 2
        for pixel in 0..<length {
          let byte = taken[isNarrow ? pixel / 2 : pixel]
          guard put(x, y, color(byte, pixel)) else { return }
          x += 1
        }
      default:
        for pixel in 0..<count {
          guard put(x, y, color(value, pixel)) else { return }
          x += 1
        }
      }
    }
  }

  private func color(_ byte: Int, _ pixel: Int) -> UInt8 {
    guard isNarrow else { return UInt8(byte) }
    return UInt8(pixel % 2 == 0 ? byte >> 4 : byte & 15)
  }
}
