import CTurboJPEG
import Formats
import Foundation

/// JPEG files through libjpeg-turbo.
///
/// Pixels equal those of any decoder that uses the library with its defaults (accurate inverse
/// transform, smooth chroma upsampling). What the library calls a warning, such as a file cut off
/// inside its scan, gives a picture whose missing part is grey, as in the reference decoder; what it
/// calls an error is thrown.
enum JPEG {
  /// The width and height that the header declares.
  static func size(of bytes: UnsafeRawBufferPointer) -> (width: Int, height: Int)? {
    guard let handle = tjInitDecompress() else { return nil }
    defer { tjDestroy(handle) }
    var (width, height, sampling, space): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
    tjDecompressHeader3(
      handle, bytes.bindMemory(to: UInt8.self).baseAddress, UInt(bytes.count), &width, &height,
      &sampling, &space)
    return width > 0 && height > 0 ? (Int(width), Int(height)) : nil
  }

  static func decode(_ bytes: UnsafeRawBufferPointer, name: String) throws -> Image {
    guard let handle = tjInitDecompress() else {
      throw PictureError(path: name, reason: "the JPEG decoder cannot start: out of memory")
    }
    defer { tjDestroy(handle) }
    let data = bytes.bindMemory(to: UInt8.self).baseAddress
    let size = UInt(bytes.count)
    var (width, height, sampling, space): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
    let status = tjDecompressHeader3(handle, data, size, &width, &height, &sampling, &space)
    // An unusual chroma sampling fails here only because it has no name; its pixels decode.
    guard status == 0 || (width > 0 && height > 0) else {
      throw PictureError(path: name, reason: reason(handle))
    }
    try ImageDecoder.check(
      width: Int(width), height: Int(height), bytes: bytes.count, name: name)
    // Three bytes a pixel, as many again where the picture is turned or CMYK, and 6 for the
    // coefficients that a progressive file needs at the same time.
    return try ImageDecoder.budget.hold(Int(width) * Int(height) * 9) {
      try decode(bytes, handle, width: width, height: height, space: space, name: name)
    }
  }

  private static func decode(
    _ bytes: UnsafeRawBufferPointer, _ handle: tjhandle, width: Int32, height: Int32, space: Int32,
    name: String
  ) throws -> Image {
    let data = bytes.bindMemory(to: UInt8.self).baseAddress
    let size = UInt(bytes.count)
    let inks = space == Int32(TJCS_CMYK.rawValue) || space == Int32(TJCS_YCCK.rawValue)
    let format = inks ? TJPF_CMYK : TJPF_RGB
    let channels = inks ? 4 : 3
    let count = Int(width) * Int(height) * channels
    var failure: String?
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { target, written in
      // Rows that a damaged file does not reach stay grey instead of holding old memory.
      target.initialize(repeating: 128)
      let status = tjDecompress2(
        handle, data, size, target.baseAddress, width, 0, height, Int32(format.rawValue),
        TJFLAG_LIMITSCANS)
      if status != 0, tjGetErrorCode(handle) != Int32(TJERR_WARNING.rawValue) {
        failure = reason(handle)
      }
      written = count
    }
    if let failure { throw PictureError(path: name, reason: failure) }
    let stored = Image(
      width: Int(width), height: Int(height), bytes: inks ? rgb(fromInverted: pixels) : pixels)
    return Orientation(jpeg: bytes).apply(to: stored)
  }

  /// CMYK as JPEG files store it, inverted: 255 means no ink.
  private static func rgb(fromInverted pixels: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(pixels.count / 4 * 3)
    for base in stride(from: 0, to: pixels.count - 3, by: 4) {
      let black = Int(pixels[base + 3])
      for channel in 0..<3 {
        bytes.append(UInt8((Int(pixels[base + channel]) * black + 127) / 255))
      }
    }
    return bytes
  }

  static func encode(_ image: Image, quality: Int, name: String) throws -> Data {
    guard let handle = tjInitCompress() else {
      throw PictureError(path: name, reason: "the JPEG encoder cannot start: out of memory")
    }
    defer { tjDestroy(handle) }
    var target: UnsafeMutablePointer<UInt8>?
    var size: UInt = 0
    defer { tjFree(target) }
    let status = image.bytes.withUnsafeBufferPointer {
      tjCompress2(
        handle, $0.baseAddress, Int32(image.width), 0, Int32(image.height),
        Int32(TJPF_RGB.rawValue),
        &target, &size, Int32(TJSAMP_444.rawValue), Int32(max(1, min(100, quality))),
        TJFLAG_ACCURATEDCT)
    }
    guard status == 0, let target else {
      throw PictureError(path: name, reason: reason(handle))
    }
    return Data(bytes: target, count: Int(size))
  }

  private static func reason(_ handle: tjhandle) -> String {
    let text = tjGetErrorStr2(handle).map { String(cString: $0) } ?? "unknown fault"
    let line = text.replacingOccurrences(of: "\n", with: " ")
    return "the JPEG library reports: \(line)"
  }
}

extension Image {
  /// The picture as a JPEG file.
  ///
  /// - Parameter quality: From 1 to 100.
  /// - Returns: The file's bytes.
  /// - Throws: ``PictureError`` when the encoder fails.
  package func jpegData(quality: Int = 85) throws -> Data {
    try JPEG.encode(self, quality: quality, name: "image")
  }

  /// Writes a JPEG file; a reader sees the old file or the whole new one.
  ///
  /// - Parameters:
  ///   - path: The file's path; its folder must exist.
  ///   - quality: From 1 to 100.
  /// - Throws: ``PictureError`` when the encoder fails or the file cannot be written.
  package func writeJPEG(_ path: String, quality: Int = 92) throws {
    try Self.write(try JPEG.encode(self, quality: quality, name: path), to: path)
  }

  static func write(_ data: Data, to path: String) throws {
    do {
      try AtomicFile.write(data, to: path)
    } catch let error as FormatError {
      throw PictureError(path: path, reason: error.reason)
    }
  }
}
