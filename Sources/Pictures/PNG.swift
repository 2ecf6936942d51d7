import CPNG
import Foundation

/// PNG files through libpng.
///
/// Only the chunks that hold pixels reach the library, so stored colours come out unchanged whatever
/// gamma the file claims, and a text chunk cannot unpack to megabytes. Alpha is dropped and 16-bit
/// samples are scaled to 8, as in the reference decoder.
enum PNG {
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
  private static let pixelChunks: Set<String> = ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]

  /// The width and height that the header declares.
  static func size(of bytes: UnsafeRawBufferPointer) -> (width: Int, height: Int)? {
    guard bytes.count >= 24 else { return nil }
    func side(at place: Int) -> Int {
      Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
    }
    return (side(at: 16), side(at: 20))
  }

  static func decode(_ bytes: UnsafeRawBufferPointer, name: String) throws -> Image {
    // The library reads the memory until the last row is done, so all of it happens in here.
    try pixelsOnly(bytes).withUnsafeBytes { try decodePixels($0, size: bytes.count, name: name) }
  }

  private static func decodePixels(
    _ bytes: UnsafeRawBufferPointer, size: Int, name: String
  ) throws -> Image {
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    guard png_image_begin_read_from_memory(&image, bytes.baseAddress, bytes.count) != 0 else {
      throw PictureError(path: name, reason: reason(image))
    }
    let (width, height) = (Int(image.width), Int(image.height))
    try ImageDecoder.check(width: width, height: height, bytes: size, name: name)
    // Alpha is read and dropped: without it the library would lay the picture on a background.
    let hasAlpha = image.format & UInt32(PNG_FORMAT_FLAG_ALPHA) != 0
    let channels = hasAlpha ? 4 : 3
    return try ImageDecoder.budget.hold(width * height * (hasAlpha ? 7 : 3)) {
      image.format = UInt32(PNG_FORMAT_FLAG_COLOR)
      if hasAlpha { image.format |= UInt32(PNG_FORMAT_FLAG_ALPHA) }
      image.flags |= UInt32(PNG_IMAGE_FLAG_16BIT_sRGB)
      var failed = false
      let pixels = [UInt8](unsafeUninitializedCapacity: width * height * channels) {
        target, count in
        target.initialize(repeating: 0)
        failed = png_image_finish_read(&image, nil, target.baseAddress, 0, nil) == 0
        count = width * height * channels
      }
      guard !failed else { throw PictureError(path: name, reason: reason(image)) }
      return Image(
        width: width, height: height, bytes: hasAlpha ? withoutAlpha(pixels) : pixels)
    }
  }

  private static func withoutAlpha(_ pixels: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: pixels.count / 4 * 3) { target, count in
      for pixel in 0..<pixels.count / 4 {
        target[pixel * 3] = pixels[pixel * 4]
        target[pixel * 3 + 1] = pixels[pixel * 4 + 1]
        target[pixel * 3 + 2] = pixels[pixel * 4 + 2]
      }
      count = pixels.count / 4 * 3
    }
  }

  /// The file without the chunks that say how to show it; a cut-off chunk is kept for the library
  /// to refuse.
  private static func pixelsOnly(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var kept = signature
    kept.reserveCapacity(bytes.count)
    var place = signature.count
    while place + 8 <= bytes.count {
      let length = (0..<4).reduce(0) { $0 << 8 | Int(bytes[place + $1]) }
      let kind = String(decoding: bytes[place + 4..<place + 8], as: UTF8.self)
      let end = min(place + 12 + length, bytes.count)
      if pixelChunks.contains(kind) { kept.append(contentsOf: bytes[place..<end]) }
      place = end
    }
    return kept
  }

  static func encode(_ picture: Image, name: String) throws -> Data {
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    image.width = UInt32(picture.width)
    image.height = UInt32(picture.height)
    image.format = UInt32(PNG_FORMAT_FLAG_COLOR)
    defer { png_image_free(&image) }
    // Incompressible rows grow by well under 1/256 plus the headers of 8 KiB chunks.
    let raw = picture.bytes.count + picture.height
    var size = raw + raw / 256 + 4096
    var target = Data(count: size)
    let status = target.withUnsafeMutableBytes { memory in
      picture.bytes.withUnsafeBytes { pixels in
        png_image_write_to_memory(
          &image, memory.baseAddress, &size, 0, pixels.baseAddress, 0, nil)
      }
    }
    guard status != 0 else { throw PictureError(path: name, reason: reason(image)) }
    return target.prefix(size)
  }

  private static func reason(_ image: png_image) -> String {
    let text = withUnsafeBytes(of: image.message) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    return "the PNG library reports: \(text.isEmpty ? "unknown fault" : text)"
  }
}

extension Image {
  /// The picture as a PNG file.
  ///
  /// - Returns: The file's bytes, the same for the same picture and library version.
  /// - Throws: ``PictureError`` when the encoder fails.
  package func pngData() throws -> Data {
    try PNG.encode(self, name: "image")
  }

  /// Writes a PNG file; a reader sees the old file or the whole new one.
  ///
  /// - Parameter path: The file's path; its folder must exist.
  /// - Throws: ``PictureError`` when the encoder fails or the file cannot be written.
  package func writePNG(_ path: String) throws {
    try Self.write(try PNG.encode(self, name: path), to: path)
  }
}
