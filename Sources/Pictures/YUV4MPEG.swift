import Formats

/// Frames as yuv4mpeg stores them: 8-bit planes of brightness and colour difference.
///
/// Colours are those of BT.601, within 16...235 unless the header says otherwise; colour differences of
/// a smaller plane count for all their pixels.
/// Source: yuv4mpeg(5) of mjpegtools.
struct YUV4MPEG: FrameContainer {
  static let magic = "YUV4MPEG2"
  private static let longestLine = 4096

  let header: [UInt8]
  private let name: String
  private let width: Int
  private let height: Int
  /// Pixels that share a colour difference along a row and a column; nil without colour.
  private let shared: (x: Int, y: Int)?
  private let isFullRange: Bool

  /// Reads the header line.
  init(_ stream: ByteStream, name: String) throws {
    func refuse(_ reason: String) -> PictureError { PictureError(path: name, reason: reason) }
    guard let line = try stream.line(most: Self.longestLine) else {
      throw refuse("has no end of the yuv4mpeg header line")
    }
    let words = line.split(separator: " ").dropFirst()
    func value(_ letter: Character) -> Substring? {
      words.first { $0.first == letter }?.dropFirst()
    }
    guard let width = value("W").flatMap({ Int($0) }), let height = value("H").flatMap({ Int($0) })
    else { throw refuse("has a yuv4mpeg header without width and height") }
    try ImageDecoder.check(
      width: width, height: height, bytes: ImageDecoder.mostPixels, name: name)
    switch value("C") ?? "420" {
    case "420", "420jpeg", "420mpeg2", "420paldv": shared = (2, 2)
    case "422": shared = (2, 1)
    case "444": shared = (1, 1)
    case "mono": shared = nil
    case let other:
      throw refuse(
        "has yuv4mpeg frames of colour space \(other.prefix(20)); let ffmpeg write "
          + "-pix_fmt yuv420p")
    }
    self.name = name
    (self.width, self.height) = (width, height)
    isFullRange = words.contains("XCOLORRANGE=FULL")
    header = Array((line + "\n").utf8)
  }

  /// Columns and rows of a plane of colour differences.
  private var planeSize: (width: Int, height: Int) {
    guard let shared else { return (0, 0) }
    return (width.dividedUp(by: shared.x), height.dividedUp(by: shared.y))
  }

  private var byteCount: Int { width * height + 2 * planeSize.width * planeSize.height }

  func next(_ stream: ByteStream) throws -> [UInt8]? {
    guard try !stream.peek(1).isEmpty else { return nil }
    guard let line = try stream.line(most: Self.longestLine) else {
      throw PictureError(path: name, reason: "ends inside the header of a yuv4mpeg frame")
    }
    guard line.split(separator: " ").first == "FRAME" else {
      throw PictureError(path: name, reason: "has no yuv4mpeg frame where one must begin")
    }
    let bytes = try stream.take(byteCount)
    guard bytes.count == byteCount else {
      throw PictureError(
        path: name, reason: "ends inside a frame, after \(bytes.count) of \(byteCount, "byte")")
    }
    return bytes
  }

  func decode(_ frame: [UInt8]) -> Image {
    let scale = isFullRange ? 65536.0 : 65536 * 255 / 219
    let spread = isFullRange ? 65536.0 : 65536 * 255 / 224
    let (base, luma) = (isFullRange ? 0 : 16, Int(scale))
    let (redV, greenU, greenV, blueU) = (
      Int(1.402 * spread), Int(0.344136 * spread), Int(0.714136 * spread), Int(1.772 * spread)
    )
    let plane = planeSize
    let (u, v) = (width * height, width * height + plane.width * plane.height)
    let bytes = [UInt8](unsafeUninitializedCapacity: 3 * width * height) { target, count in
      func level(_ value: Int) -> UInt8 { UInt8(max(0, min(255, (value + 32768) >> 16))) }
      for y in 0..<height {
        for x in 0..<width {
          let gray = (Int(frame[y * width + x]) - base) * luma
          var (blue, red) = (0, 0)
          if let shared {
            let place = y / shared.y * plane.width + x / shared.x
            (blue, red) = (Int(frame[u + place]) - 128, Int(frame[v + place]) - 128)
          }
          let pixel = 3 * (y * width + x)
          target[pixel] = level(gray + redV * red)
          target[pixel + 1] = level(gray - greenU * blue - greenV * red)
          target[pixel + 2] = level(gray + blueU * blue)
        }
      }
      count = 3 * width * height
    }
    return Image(width: width, height: height, bytes: bytes)
  }

  func encode(_ image: Image) throws -> [UInt8] {
    guard image.width == width, image.height == height else {
      throw PictureError(
        path: name,
        reason: "is of \(width)x\(height) pixels and takes no frame of "
          + "\(image.width)x\(image.height)")
    }
    let scale = isFullRange ? 1.0 : 219.0 / 255
    let spread = isFullRange ? 1.0 : 224.0 / 255
    let base = isFullRange ? 0.0 : 16
    func level(_ value: Double) -> UInt8 { UInt8(max(0, min(255, value.rounded()))) }
    func gray(_ red: Double, _ green: Double, _ blue: Double) -> Double {
      0.299 * red + 0.587 * green + 0.114 * blue
    }
    var result = Array("FRAME\n".utf8)
    result.reserveCapacity(result.count + byteCount)
    image.bytes.withUnsafeBufferPointer { pixels in
      for pixel in stride(from: 0, to: pixels.count, by: 3) {
        let value = gray(
          Double(pixels[pixel]), Double(pixels[pixel + 1]), Double(pixels[pixel + 2]))
        result.append(level(base + value * scale))
      }
      guard let shared else { return }
      for (channel, factor) in [(2, 1 / 1.772), (0, 1 / 1.402)] {
        for top in stride(from: 0, to: height, by: shared.y) {
          for left in stride(from: 0, to: width, by: shared.x) {
            var (sum, count) = (0.0, 0.0)
            for y in top..<min(top + shared.y, height) {
              for x in left..<min(left + shared.x, width) {
                let pixel = 3 * (y * width + x)
                let value = gray(
                  Double(pixels[pixel]), Double(pixels[pixel + 1]), Double(pixels[pixel + 2]))
                sum += Double(pixels[pixel + channel]) - value
                count += 1
              }
            }
            result.append(level(128 + sum / count * factor * spread))
          }
        }
      }
    }
    return result
  }
}
