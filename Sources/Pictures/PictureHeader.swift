import Formats

/// What a picture's file says of its size, without its pixels.
package struct PictureHeader: Sendable, Equatable {
  /// The width in pixels of the decoded picture, turned as ``orientation`` says.
  package let width: Int
  /// The height in pixels of the decoded picture.
  package let height: Int
  /// How the stored picture must be turned to be viewed.
  package let orientation: Orientation

  /// Reads a picture file's header.
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
    guard let format = PictureFormat(bytes) else {
      throw PictureError(
        path: path,
        reason: bytes.isEmpty ? "is empty; restore the file" : PictureFormat.refusal(of: bytes))
    }
    guard let size = format.size(of: bytes) else {
      throw PictureError(path: path, reason: "has no header of a JPEG, PNG, WebP or BMP file")
    }
    try ImageDecoder.check(width: size.width, height: size.height, bytes: bytes.count, name: path)
    orientation = format.orientation(of: bytes)
    (width, height) = orientation.swapsSides ? (size.height, size.width) : size
  }
}
