internal import Pictures

/// A picture of 8-bit pixels.
public struct Picture: Sendable, Equatable {
  let image: Image

  /// The width in pixels.
  public var width: Int { image.width }
  /// The height in pixels.
  public var height: Int { image.height }
  /// Red, green and blue of each pixel, row by row from the top.
  public var pixels: [UInt8] { image.bytes }

  /// Takes pixels.
  ///
  /// - Parameters:
  ///   - width: The width in pixels, at least 1.
  ///   - height: The height in pixels, at least 1.
  ///   - pixels: Red, green and blue of each pixel, row by row from the top.
  /// - Throws: ``BaronError`` when the number of bytes is another.
  public init(width: Int, height: Int, pixels: [UInt8]) throws(BaronError) {
    let (area, overflow) = width.multipliedReportingOverflow(by: height)
    guard width > 0, height > 0, !overflow, area <= ImageDecoder.mostPixels,
      pixels.count == 3 * area
    else {
      throw BaronError(
        "picture: \(pixels.count) bytes are no \(width)x\(height) pixels; give three for each of at "
          + "most \(ImageDecoder.mostPixels)")
    }
    image = Image(width: width, height: height, bytes: pixels)
  }

  /// Reads a JPEG, PNG, WebP or BMP file, turned as its EXIF orientation says.
  ///
  /// - Parameter path: The file.
  /// - Throws: ``BaronError`` when it is missing, of another format or damaged.
  public init(contentsOf path: String) throws(BaronError) {
    image = try BaronError.wrapping { try ImageDecoder.decode(path: path) }
  }

  init(_ image: Image) { self.image = image }

  /// The picture with boxes, names and masks drawn on it.
  ///
  /// - Parameter detections: What was found on it.
  public func annotated(with detections: [Detection]) -> Picture {
    var colors = LabelPalette()
    return Picture(
      PictureSheet.annotated(
        image,
        detections.map {
          LabeledBox(
            box: $0.found.box, label: $0.name, score: Double($0.score), mask: $0.found.mask)
        }, enlarging: 1, colors: &colors))
  }

  /// Writes a PNG file; a reader sees the old file or the whole new one.
  ///
  /// - Parameter path: The file; its folder must exist.
  /// - Throws: ``BaronError`` when the file cannot be written.
  public func writePNG(_ path: String) throws(BaronError) {
    try BaronError.wrapping { try image.writePNG(path) }
  }
}
