import Formats
import Foundation
import TestSupport
import Testing

@testable import Pictures

@Suite struct FrameStreamTests {
  /// All frames of bytes that come through a file, and the error at the end.
  private func read(_ bytes: [UInt8]) throws -> (images: [Image], faults: [String], end: String?) {
    let folder = try TemporaryFolder()
    let handle = try #require(FileHandle(forReadingAtPath: try folder.write(bytes, "frames")))
    defer { try? handle.close() }
    var (images, faults): ([Image], [String]) = ([], [])
    do {
      let stream = try FrameStream(
        ByteStream(descriptor: handle.fileDescriptor, name: "input"), name: "input")
      while let (_, result) = try stream.next() {
        switch result {
        case .success(let image): images.append(image)
        case .failure(let error): faults.append("\(error)")
        }
      }
      return (images, faults, nil)
    } catch {
      return (images, faults, "\(error)")
    }
  }

  private func picture(_ seed: Int, width: Int = 40, height: Int = 30) -> Image {
    Image(
      width: width, height: height,
      bytes: (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 / 3 * 5 + seed * 40) })
  }

  private func jpeg(_ seed: Int) throws -> [UInt8] {
    [UInt8](try JPEG.encode(picture(seed), quality: 90, name: "frame"))
  }

  @Test func framesOfMJPEGFollowEachOther() throws {
    let frames = try (0..<3).map(jpeg)
    let wanted = try frames.map { bytes in
      try bytes.withUnsafeBytes { try ImageDecoder.decode($0, name: "frame") }
    }
    #expect(try read(frames.flatMap { $0 }).images == wanted)
    let parts = frames.flatMap { Array("--part\r\nContent-Type: image/jpeg\r\n\r\n".utf8) + $0 }
    let found = try read(parts)
    #expect(found.images == wanted && found.end == nil)
  }

  /// A thumbnail inside of a frame ends like a frame.
  @Test func aThumbnailIsPartOfItsFrame() throws {
    let (outer, inner) = (try jpeg(0), try jpeg(1))
    let length = inner.count + 2
    let segment: [UInt8] = [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 255)] + inner
    let found = try read(Array(outer.prefix(2)) + segment + Array(outer.dropFirst(2)) + inner)
    #expect(found.images.count == 2 && found.faults.isEmpty)
  }

  @Test func aCutFrameEndsTheStream() throws {
    let frames = try (0..<2).map(jpeg)
    for left in [1, 2, 3, 100, frames[1].count - 1] {
      let found = try read(frames[0] + Array(frames[1].prefix(left)))
      #expect(found.images.count == 1)
      // One byte is no beginning of a frame.
      #expect(
        (found.end == nil) == (left == 1),
        "\(left): \(found.end ?? "no error")")
      if let end = found.end { #expect(end.contains("frames before it: 1")) }
    }
  }

  @Test func aDamagedFrameIsLeftOut() throws {
    var broken = try jpeg(0)
    // The size of the picture becomes 0.
    let place = try #require(
      (0..<broken.count - 1).first { broken[$0] == 0xFF && broken[$0 + 1] == 0xC0 })
    for offset in 5..<9 { broken[place + offset] = 0 }
    let found = try read(try jpeg(1) + broken + (try jpeg(2)))
    #expect(found.images.count == 2 && found.end == nil)
    #expect(found.faults.count == 1 && found.faults[0].hasPrefix("input, frame 2: "))
  }

  @Test(arguments: ["C420jpeg", "C422", "C444", "C444 XCOLORRANGE=FULL", ""])
  func framesOfYUVComeBack(_ space: String) throws {
    // Blocks of two by two pixels of one colour lose nothing but rounding.
    let (width, height) = (14, 10)
    var pixels: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        pixels += [UInt8(x / 2 * 30), UInt8(y / 2 * 40), UInt8((x / 2 + y / 2) * 15)]
      }
    }
    let image = Image(width: width, height: height, bytes: pixels)
    let header = Array("YUV4MPEG2 W14 H10 F25:1 Ip A1:1 \(space)\n".utf8)
    let folder = try TemporaryFolder()
    let handle = try #require(FileHandle(forReadingAtPath: try folder.write(header, "header")))
    defer { try? handle.close() }
    let container = try FrameStream(
      ByteStream(descriptor: handle.fileDescriptor, name: "input"), name: "input"
    ).container
    #expect(container.header == header)
    let frame = try container.encode(image)
    let found = try read(header + frame + frame)
    #expect(found.images.count == 2 && found.end == nil)
    let difference = zip(try #require(found.images.first).bytes, image.bytes).map {
      abs(Int($0) - Int($1))
    }
    #expect((difference.max() ?? 99) <= 3)
    // Any cut is told, after the frames before it.
    let cut = try read(header + frame + frame.dropLast())
    #expect(cut.images.count == 1 && cut.end?.contains("frames before it: 1") == true)
  }

  @Test func grayAndOddSizes() throws {
    let gray = try read(Array("YUV4MPEG2 W2 H1 Cmono\nFRAME\n".utf8) + [16, 235])
    #expect(gray.images.first?.bytes == [0, 0, 0, 255, 255, 255])
    let odd = Array("YUV4MPEG2 W3 H3 C420\nFRAME X\n".utf8) + [UInt8](repeating: 128, count: 17)
    #expect(try read(odd).images.count == 1)
  }

  @Test(arguments: [
    ("", "is empty"), ("GIF89a", "neither MJPEG nor yuv4mpeg"), ("YUV4MPEG2 W2 H1", "no end"),
    ("YUV4MPEG2 W2\n", "without width and height"), ("YUV4MPEG2 W0 H1\n", "0x1"),
    ("YUV4MPEG2 W99999999 H99999999\n", "more than the limit"),
    ("YUV4MPEG2 W2 H1 C420p10\n", "colour space 420p10"),
    ("YUV4MPEG2 W2 H1 Cmono\nFRAMES\n", "no yuv4mpeg frame"),
    ("YUV4MPEG2 W2 H1 Cmono\nFRAME", "inside the header"),
  ])
  func wrongStreamsAreTold(_ text: String, _ reason: String) throws {
    let found = try read(Array(text.utf8))
    #expect(found.end?.contains(reason) == true, "\(found.end ?? "no error")")
    #expect(found.end?.contains("\n") == false)
  }

  @Test func endlessNoiseIsRefused() throws {
    let found = try read([0xFF, 0xD8, 0xFF, 0xD9] + [UInt8](repeating: 7, count: 100_000))
    #expect(found.end?.contains("begin no JPEG frame") == true)
  }
}
