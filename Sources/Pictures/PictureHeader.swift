import CTurboJPEG
import Formats

/// What a picture's file says of its size, without its pixels.
package struct PictureHeader: Sendable, Equatable {
  /// The width in pixels of the decoded picture, turned as ``orientation`` says.
  package let width: Int
  /// The height in pixels of the decoded picture.
  package let height: Int
  /// How the stored picture must be turned to be viewed.
  package let orientation: Orientation

  /// Reads a JPEG or PNG file's header.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``PictureError`` when the file is missing, of another format or broken.
  package init(path: String) throws {
    let file: MappedFile
    do {
      file = try MappedFile(path: path)
    } catch let error as FormatError {
      throw PictureError(unreadable: path, reason: error.reason)
    }
    self = try withExtendedLifetime(file) { try PictureHeader(file.bytes, path: path) }
  }

  /// Reads the header of a file in memory.
  ///
  /// - Parameters:
  ///   - bytes: The file.
  ///   - path: What errors call it.
  /// - Throws: ``PictureError`` when it is of another format or broken.
  package init(_ bytes: UnsafeRawBufferPointer, path: String) throws {
    let isPNG = bytes.starts(with: PNG.signature)
    guard let size = isPNG ? Self.pngSize(bytes) : Self.jpegSize(bytes) else {
      throw PictureError(path: path, reason: "has no header of a JPEG or PNG file")
    }
    try ImageDecoder.check(width: size.0, height: size.1, bytes: bytes.count, name: path)
    orientation = isPNG ? .upright : Orientation(jpeg: bytes)
    (width, height) = orientation.swapsSides ? (size.1, size.0) : size
  }

  private static func pngSize(_ bytes: UnsafeRawBufferPointer) -> (Int, Int)? {
    guard bytes.count >= 24 else { return nil }
    func number(_ place: Int) -> Int { (0..<4).reduce(0) { $0 << 8 | Int(bytes[place + $1]) } }
    return (number(16), number(20))
  }

  private static func jpegSize(_ bytes: UnsafeRawBufferPointer) -> (Int, Int)? {
    guard bytes.starts(with: [0xFF, 0xD8]), let handle = tjInitDecompress() else { return nil }
    defer { tjDestroy(handle) }
    let data = bytes.bindMemory(to: UInt8.self).baseAddress
    var (width, height, sampling, space): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
    tjDecompressHeader3(handle, data, UInt(bytes.count), &width, &height, &sampling, &space)
    return width > 0 && height > 0 ? (Int(width), Int(height)) : nil
  }
}
