import Formats

/// Decodes image files of the formats that training and detection read: JPEG and PNG.
public enum ImageDecoder {
  /// The most pixels a file may declare, 178 million: a few bytes can declare billions.
  public static let mostPixels = 178_956_970

  /// Decodes a file, told by its first bytes, not by its name.
  ///
  /// - Parameter path: The file's path.
  /// - Returns: The picture, turned as its EXIF orientation says.
  /// - Throws: ``PictureError`` with one line when the file is missing, of another format, damaged
  ///   beyond use or larger than ``mostPixels``.
  public static func decode(path: String) throws -> Image {
    let file: MappedFile
    do {
      file = try PassingFailure.retrying(path) { try MappedFile(path: path) }
    } catch let error as FormatError {
      throw PictureError(unreadable: path, reason: error.reason)
    }
    return try withExtendedLifetime(file) { try decode(file.bytes, name: path) }
  }

  /// Decodes image files side by side.
  ///
  /// - Parameter paths: The files' paths.
  /// - Returns: For each file its picture or what ``decode(path:)`` throws.
  public static func decode(_ paths: [String]) -> [Result<Image, any Error>] {
    Parallel.map(count: paths.count) { index in Result { try decode(path: paths[index]) } }
  }

  /// Decodes a picture in memory.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - name: What errors call it.
  /// - Returns: The picture, turned as its EXIF orientation says.
  /// - Throws: ``PictureError`` as ``decode(path:)``.
  public static func decode(_ bytes: UnsafeRawBufferPointer, name: String) throws -> Image {
    func starts(with magic: [UInt8], at offset: Int = 0) -> Bool {
      bytes.count >= offset + magic.count
        && bytes[offset..<offset + magic.count].elementsEqual(magic)
    }
    func starts(with magic: String, at offset: Int = 0) -> Bool {
      starts(with: Array(magic.utf8), at: offset)
    }
    guard !bytes.isEmpty else {
      throw PictureError(path: name, reason: "is empty; restore the file")
    }
    if starts(with: [0xFF, 0xD8]) { return try JPEG.decode(bytes, name: name) }
    if starts(with: PNG.signature) { return try PNG.decode(bytes, name: name) }
    let others = [("GIF8", 0, "GIF"), ("WEBP", 8, "WebP"), ("BM", 0, "BMP"), ("II*", 0, "TIFF")]
    for (magic, offset, format) in others where starts(with: magic, at: offset) {
      throw PictureError(
        path: name, reason: "\(format) is not supported; convert it to JPEG or PNG")
    }
    let first = bytes.prefix(4).map { $0.digits(2, radix: 16) }
    throw PictureError(
      path: name,
      reason: "is neither JPEG nor PNG (it starts with \(first.joined(separator: " ")))")
  }

  /// Checks a declared size before memory is taken for it.
  static func check(width: Int, height: Int, name: String) throws {
    guard width > 0, height > 0 else {
      throw PictureError(path: name, reason: "declares a size of \(width)x\(height) pixels")
    }
    guard width.multipliedReportingOverflow(by: height).partialValue <= mostPixels,
      width <= mostPixels, height <= mostPixels
    else {
      throw PictureError(
        path: name,
        reason: "declares \(width)x\(height) pixels, more than the limit of \(mostPixels)")
    }
  }
}
