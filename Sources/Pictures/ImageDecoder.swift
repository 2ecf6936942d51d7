import Formats

/// Decodes image files of the formats that training and detection read: JPEG, PNG, WebP and BMP.
package enum ImageDecoder {
  /// The most pixels a file may declare, 178 million: a few bytes can declare billions.
  package static let mostPixels = 178_956_970

  /// Decodes a file, told by its first bytes, not by its name.
  ///
  /// - Parameter path: The file's path.
  /// - Returns: The picture, turned as its EXIF orientation says.
  /// - Throws: ``PictureError`` with one line when the file is missing, of another format, damaged
  ///   beyond use or larger than ``mostPixels``.
  package static func decode(path: String) throws -> Image {
    let file: MappedFile
    do {
      file = try PassingFailure.retrying(path) { try MappedFile(path: path) }
    } catch let error as FormatError {
      throw PictureError(unreadable: path, reason: error.reason)
    }
    return try decode(file)
  }

  private static func decode(_ file: MappedFile) throws -> Image {
    do {
      return try file.whole { try decode(file.bytes, name: file.path) }
    } catch let error as FormatError {
      throw PictureError(path: file.path, reason: error.reason)
    }
  }

  /// Decodes image files side by side.
  ///
  /// - Parameter paths: The files' paths.
  /// - Returns: For each file its picture or what ``decode(path:)`` throws.
  package static func decode(_ paths: [String]) -> [Result<Image, any Error>] {
    Parallel.map(count: paths.count) { index in Result { try decode(path: paths[index]) } }
  }

  /// Divides a list of files into groups whose pictures fit into memory together.
  ///
  /// - Parameters:
  ///   - paths: The files' paths.
  ///   - count: The most files of a group.
  /// - Returns: Ranges of the list, one after the other, each of at least one file: as many as come to
  ///   half of ``mostPixels``, a quarter of a gigabyte, for several groups are in memory at a time. The
  ///   headers of a group's files are read when it is asked for.
  package static func groups(of paths: [String], most count: Int) -> AnyIterator<Range<Int>> {
    var next = 0
    return AnyIterator {
      guard next < paths.count else { return nil }
      let first = next
      var pixels = 0
      repeat {
        pixels += pixelCount(path: paths[next])
        if next > first, pixels > mostPixels / 2 { break }
        next += 1
      } while next < min(paths.count, first + count)
      return first..<next
    }
  }

  /// The pixels that a file declares; 0 when it is none that can be decoded.
  private static func pixelCount(path: String) -> Int {
    let size = try? MappedFile.read(path) { bytes in
      PictureFormat(bytes)?.size(of: bytes)
    }
    guard let (width, height) = size ?? nil else { return 0 }
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    return overflow || pixels > mostPixels ? 0 : pixels
  }

  /// Decodes a picture in memory.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - name: What errors call it.
  /// - Returns: The picture, turned as its EXIF orientation says.
  /// - Throws: ``PictureError`` as ``decode(path:)``.
  package static func decode(_ bytes: UnsafeRawBufferPointer, name: String) throws -> Image {
    guard !bytes.isEmpty else {
      throw PictureError(path: name, reason: "is empty; restore the file")
    }
    if let format = PictureFormat(bytes) { return try format.decode(bytes, name: name) }
    throw PictureError(path: name, reason: PictureFormat.refusal(of: bytes))
  }

  /// What all threads together may take while they decode; larger pictures are decoded one by one.
  static let budget = MemoryBudget(limit: 1 << 30)
  /// Up to so many pixels, 100 MB decoded, a picture may be as small a file as it likes.
  private static let unsuspectedPixels = 1 << 25
  /// The most pixels a byte of a larger picture: a photograph has at most 50, a drawing 100.
  private static let pixelsPerByte = 256

  /// Checks a declared size, also against the bytes of the file, before memory is taken for it.
  static func check(width: Int, height: Int, bytes: Int, name: String) throws {
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
    guard width * height <= max(unsuspectedPixels, bytes * pixelsPerByte) else {
      throw PictureError(
        path: name,
        reason:
          "declares \(width)x\(height) pixels in \(bytes, "byte"), more than \(pixelsPerByte) a "
          + "byte, as no photograph or drawing does; save it smaller if it is one")
    }
  }
}
