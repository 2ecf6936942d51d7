import CWebP

/// WebP files through libwebp; alpha is dropped, as in the reference decoder.
enum WebP {
  /// The width and height that the header declares.
  static func size(of bytes: UnsafeRawBufferPointer) -> (width: Int, height: Int)? {
    guard let features = try? features(of: bytes, name: "") else { return nil }
    return (Int(features.width), Int(features.height))
  }

  static func decode(_ bytes: UnsafeRawBufferPointer, name: String) throws -> Image {
    let features = try features(of: bytes, name: name)
    guard features.has_animation == 0 else {
      throw PictureError(path: name, reason: "is an animation; save one of its frames")
    }
    let (width, height) = (Int(features.width), Int(features.height))
    try ImageDecoder.check(width: width, height: height, bytes: bytes.count, name: name)
    // Three bytes a pixel, and four while a lossless file is unpacked.
    return try ImageDecoder.budget.hold(width * height * 7) {
      let stored = Image(
        width: width, height: height,
        bytes: try pixels(bytes, width: width, height: height, name: name))
      return Orientation(webp: bytes).apply(to: stored)
    }
  }

  private static func pixels(
    _ bytes: UnsafeRawBufferPointer, width: Int, height: Int, name: String
  ) throws -> [UInt8] {
    var configuration = WebPDecoderConfig()
    guard WebPInitDecoderConfig(&configuration) != 0 else {
      throw PictureError(path: name, reason: "the WebP decoder cannot start: another version")
    }
    configuration.output.colorspace = MODE_RGB
    configuration.output.is_external_memory = 1
    var status = VP8_STATUS_OK
    let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { target, count in
      target.initialize(repeating: 0)
      configuration.output.u.RGBA.rgba = target.baseAddress
      configuration.output.u.RGBA.stride = Int32(width * 3)
      configuration.output.u.RGBA.size = width * height * 3
      status = WebPDecode(
        bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count, &configuration)
      count = width * height * 3
    }
    try check(status, name: name)
    return pixels
  }

  private static func features(
    of bytes: UnsafeRawBufferPointer, name: String
  ) throws -> WebPBitstreamFeatures {
    var features = WebPBitstreamFeatures()
    try check(
      WebPGetFeatures(bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count, &features),
      name: name)
    return features
  }

  private static func check(_ status: VP8StatusCode, name: String) throws {
    let reason: String
    switch status {
    case VP8_STATUS_OK: return
    case VP8_STATUS_NOT_ENOUGH_DATA, VP8_STATUS_SUSPENDED: reason = "the file is cut off"
    case VP8_STATUS_OUT_OF_MEMORY: reason = "out of memory"
    case VP8_STATUS_UNSUPPORTED_FEATURE: reason = "a feature that is not supported"
    default: reason = "a damaged bitstream"
    }
    throw PictureError(path: name, reason: "the WebP library reports: \(reason)")
  }
}
