import Formats
import Foundation
import TestSupport
import Testing

@testable import Pictures

/// One line of the manifest of odd and damaged images.
struct HardImage: Sendable, CustomTestStringConvertible {
  let name: String
  let kind: String
  /// Height and width that OpenCV gives, nil when it refuses.
  let size: (height: Int, width: Int)?

  var testDescription: String { name }

  static let folder = "\(SharedData.root)/images-hard"

  static let all: [HardImage] = {
    guard let text = try? String(contentsOfFile: "\(folder)/manifest.tsv", encoding: .utf8) else {
      return []
    }
    return text.split(separator: "\n").dropFirst().map { line in
      let columns = line.split(separator: "\t", omittingEmptySubsequences: false)
      let sides = columns[5].split(separator: "x").compactMap { Int($0) }
      return HardImage(
        name: String(columns[0]), kind: String(columns[2]),
        size: sides.count == 3 ? (sides[0], sides[1]) : nil)
    }
  }()
}

@Suite(.enabled(if: SharedData.has("images-hard"), "needs the folder images-hard"))
struct HardImageTests {
  @Test(arguments: HardImage.all)
  func decodesOrSaysWhyNot(file: HardImage) throws {
    let path = "\(HardImage.folder)/\(file.name)"
    do {
      let image = try ImageDecoder.decode(path: path)
      let size = try #require(file.size, "\(file.name) should be refused")
      #expect(image.width == size.width && image.height == size.height)
      #expect(image.bytes.count == image.width * image.height * 3)
      #expect(file.kind != "undecodable")
    } catch let error as PictureError {
      #expect(error.description.hasPrefix(path + ": ") && !error.description.contains("\n"))
      let isOtherFormat = file.name.hasSuffix(".gif")
      #expect(file.size == nil || isOtherFormat, "\(error)")
      if isOtherFormat { #expect(error.description.contains("is not supported; convert")) }
    }
  }

  @Test func inksBecomeColours() throws {
    // The upper left corner of this picture is red, the opposite one black.
    let image = try ImageDecoder.decode(path: "\(HardImage.folder)/pillow_pil_sample_cmyk.jpg")
    let (red, black) = (image[0, 0], image[99, 99])
    #expect(red.red > 200 && red.green < 60 && red.blue < 60)
    #expect(max(black.red, black.green, black.blue) < 40)
  }

  @Test func everyCutOffFileIsSurvived() throws {
    for name in ["mmcv_color_exif.jpg", "pngsuite_basn3p02.png", "pillow_hopper_orientation_3.jpg"]
    {
      let data = try Data(contentsOf: URL(fileURLWithPath: "\(HardImage.folder)/\(name)"))
      for length in stride(from: 0, to: min(data.count, 1500), by: 7) {
        _ = data.prefix(length).withUnsafeBytes { try? ImageDecoder.decode($0, name: name) }
      }
    }
  }
}

@Suite struct ImageDecoderTests {
  /// A picture with many colours.
  private static func ramp(_ width: Int, _ height: Int) -> Image {
    Image(
      width: width, height: height,
      bytes: (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 / 11) })
  }

  @Test(arguments: [(1, 1), (7, 5), (96, 96), (300, 2)])
  func portableGraphicsRoundTrip(width: Int, height: Int) throws {
    let folder = try TemporaryFolder()
    let image = Self.ramp(width, height)
    try image.writePNG("\(folder.path)/a.png")
    #expect(try ImageDecoder.decode(path: "\(folder.path)/a.png") == image)
    #expect(try image.pngData() == image.pngData())
  }

  @Test func incompressiblePictureFits() throws {
    var random = CounterRandom(seed: 1)
    let bytes = (0..<400 * 300 * 3).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    let image = Image(width: 400, height: 300, bytes: bytes)
    let copy = try image.pngData().withUnsafeBytes { try ImageDecoder.decode($0, name: "noise") }
    #expect(copy == image)
  }

  @Test func photographsRoundTripClosely() throws {
    let folder = try TemporaryFolder()
    let image = Image(width: 20, height: 10, filledWith: Color(200, 100, 50))
    try image.writeJPEG("\(folder.path)/a.jpg", quality: 95)
    let copy = try ImageDecoder.decode(path: "\(folder.path)/a.jpg")
    #expect(copy.width == 20 && copy.height == 10)
    #expect(zip(copy.bytes, image.bytes).allSatisfy { abs(Int($0) - Int($1)) <= 3 })
  }

  @Test func writingIntoAMissingFolderIsOneLine() throws {
    let error = #expect(throws: PictureError.self) {
      try Self.ramp(2, 2).writePNG("/nowhere/a.png")
    }
    #expect(error?.description.hasPrefix("/nowhere/a.png: cannot be written") == true)
  }

  @Test func missingFileAndFolderAreOneLine() throws {
    #expect(throws: PictureError(path: "/nowhere.jpg", reason: "no such file", cause: .missing)) {
      try ImageDecoder.decode(path: "/nowhere.jpg")
    }
    #expect(throws: PictureError(path: "/tmp", reason: "is a folder, not a regular file")) {
      try ImageDecoder.decode(path: "/tmp")
    }
  }

  @Test func claimsAboutGammaChangeNothing() throws {
    var data = try Self.ramp(9, 7).pngData()
    // Behind the header's 33 bytes: length 4, "gAMA", gamma 1.0, and a checksum nobody reads.
    data.insert(
      contentsOf: [0, 0, 0, 4, 0x67, 0x41, 0x4D, 0x41, 0, 1, 0x86, 0xA0, 0, 0, 0, 0], at: 33)
    let copy = try data.withUnsafeBytes { try ImageDecoder.decode($0, name: "gamma") }
    #expect(copy == Self.ramp(9, 7))
  }

  /// A PNG file of its own making: a header, chunks, and the rows in one stored block.
  private static func png(
    _ width: Int, _ height: Int, depth: UInt8 = 8, color: UInt8, chunks: [(String, [UInt8])] = [],
    rows: [UInt8]
  ) -> [UInt8] {
    func big(_ number: Int) -> [UInt8] {
      (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
    }
    func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
      let body = Array(name.utf8) + content
      return big(content.count) + body + big(Int(body.withUnsafeBytes { Checksum.crc32($0) }))
    }
    let sums = rows.reduce((1, 0)) { sums, byte in
      let first = (sums.0 + Int(byte)) % 65_521
      return (first, (sums.1 + first) % 65_521)
    }
    let length = [UInt8(rows.count & 0xFF), UInt8(rows.count >> 8)]
    let packed = [0x78, 1, 1] + length + length.map { ~$0 } + rows + big(sums.1 << 16 | sums.0)
    return PNG.signature + chunk("IHDR", big(width) + big(height) + [depth, color, 0, 0, 0])
      + chunks.flatMap { chunk($0.0, $0.1) } + chunk("IDAT", packed) + chunk("IEND", [])
  }

  private static func pixels(_ file: [UInt8]) throws -> [UInt8] {
    try file.withUnsafeBytes { try ImageDecoder.decode($0, name: "made.png").bytes }
  }

  /// Alpha is dropped, not laid on a background, however it is stored.
  @Test func everyKindOfPixelIsRead() throws {
    #expect(try Self.pixels(Self.png(2, 1, color: 0, rows: [0, 7, 9])) == [7, 7, 7, 9, 9, 9])
    #expect(try Self.pixels(Self.png(1, 1, color: 2, rows: [0, 1, 2, 3])) == [1, 2, 3])
    #expect(try Self.pixels(Self.png(1, 1, color: 6, rows: [0, 1, 2, 3, 0])) == [1, 2, 3])
    #expect(try Self.pixels(Self.png(1, 1, color: 4, rows: [0, 5, 128])) == [5, 5, 5])
    let palette = ("PLTE", [10, 20, 30, 40, 50, 60] as [UInt8])
    let colors = try Self.pixels(Self.png(2, 1, color: 3, chunks: [palette], rows: [0, 1, 0]))
    #expect(colors == [40, 50, 60, 10, 20, 30])
    let clear = ("tRNS", [0, 255] as [UInt8])
    let seen = try Self.pixels(
      Self.png(2, 1, color: 3, chunks: [palette, clear], rows: [0, 1, 0]))
    #expect(seen == [40, 50, 60, 10, 20, 30])
    let deep = Self.png(1, 1, depth: 16, color: 2, rows: [0, 1, 0, 2, 0, 3, 0])
    #expect(try Self.pixels(deep) == [1, 2, 3])
  }

  @Test func aSmallFileIsNoLargePicture() throws {
    let bomb = Self.png(13_300, 13_300, depth: 1, color: 0, rows: [0])
    let error = #expect(throws: PictureError.self) { try Self.pixels(bomb) }
    let text = "\(try #require(error))"
    #expect(text.contains("declares 13300x13300 pixels in \(bomb.count) bytes"), "\(text)")
    #expect(text.contains("more than 256 a byte"))
    // The same in a JPEG: the sides stand behind the frame's mark.
    var photo = [UInt8](try JPEG.encode(Self.ramp(8, 8), quality: 92, name: "ramp"))
    let frame = try #require(photo.firstRange(of: [0xFF, 0xC0, 0, 17])).lowerBound
    photo.replaceSubrange(frame + 5..<frame + 9, with: [0x33, 0xF4, 0x33, 0xF4])
    let second = #expect(throws: PictureError.self) { try Self.pixels(photo) }
    #expect("\(try #require(second))".contains("declares 13300x13300 pixels in"))
    // A blank picture of a camera's size is one.
    #expect(throws: Never.self) {
      try ImageDecoder.check(width: 6000, height: 4000, bytes: 1000, name: "blank")
    }
    #expect(throws: Never.self) {
      try ImageDecoder.check(width: 10_000, height: 10_000, bytes: 400_000, name: "map")
    }
  }

  /// A quarter of a gigabyte of decoded pixels at a time, in order, and each file once.
  @Test func groupsFitIntoMemory() throws {
    let folder = try TemporaryFolder()
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
      let path = "\(folder.path)/\(name)"
      try Data(bytes).write(to: URL(filePath: path))
      return path
    }
    let large = try write("large.png", Self.png(13_000, 13_000, depth: 1, color: 0, rows: [0]))
    let small = try write(
      "small.jpg", [UInt8](try JPEG.encode(Self.ramp(8, 8), quality: 92, name: "ramp")))
    let paths = [small, large, large, large, small, small, "/nowhere.jpg", small, large, large]
    #expect(
      Array(ImageDecoder.groups(of: paths, most: 4))
        == [0..<1, 1..<2, 2..<3, 3..<4, 4..<8, 8..<9, 9..<10])
    #expect(Array(ImageDecoder.groups(of: paths, most: 1)) == (0..<10).map { $0..<$0 + 1 })
    #expect(Array(ImageDecoder.groups(of: [], most: 4)).isEmpty)
  }

  @Test(.timeLimit(.minutes(1))) func aPipeIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.jpg"
    #expect(mkfifo(path, 0o644) == 0)
    #expect(throws: PictureError(path: path, reason: "is a pipe, not a regular file")) {
      try ImageDecoder.decode(path: path)
    }
  }

  @Test func declaredSizeIsCheckedFirst() throws {
    // A PNG header that declares 2^31-1 pixels a side; its checksum is not reached.
    var data = try Self.ramp(1, 1).pngData()
    data.replaceSubrange(16..<24, with: [0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF])
    #expect(throws: PictureError.self) {
      try data.withUnsafeBytes { try ImageDecoder.decode($0, name: "bomb") }
    }
  }
}

@Suite struct OrientationTests {
  /// Row by row: 1 2 3 / 4 5 6 in the red channel.
  private static let stored = Image(
    width: 3, height: 2, bytes: (1...6).flatMap { [UInt8($0), 0, 0] })

  @Test(
    arguments: [
      (Orientation.upright, 3, [1, 2, 3, 4, 5, 6]), (.mirrored, 3, [3, 2, 1, 6, 5, 4]),
      (.upsideDown, 3, [6, 5, 4, 3, 2, 1]), (.mirroredUpsideDown, 3, [4, 5, 6, 1, 2, 3]),
      (.transposed, 2, [1, 4, 2, 5, 3, 6]), (.turnClockwise, 2, [4, 1, 5, 2, 6, 3]),
      (.transverse, 2, [6, 3, 5, 2, 4, 1]), (.turnCounterclockwise, 2, [3, 6, 2, 5, 1, 4]),
    ] as [(Orientation, Int, [UInt8])])
  func pixelsMove(orientation: Orientation, width: Int, expected: [UInt8]) {
    let seen = orientation.apply(to: Self.stored)
    #expect(seen.width == width)
    #expect(stride(from: 0, to: seen.bytes.count, by: 3).map { seen.bytes[$0] } == expected)
  }

  /// A JPEG that is nothing but an EXIF block with one entry.
  private static func header(little: Bool, value: UInt8) -> [UInt8] {
    func short(_ number: UInt8) -> [UInt8] { little ? [number, 0] : [0, number] }
    func long(_ number: UInt8) -> [UInt8] { little ? [number, 0, 0, 0] : [0, 0, 0, number] }
    let tag: [UInt8] = little ? [0x12, 0x01] : [0x01, 0x12]
    let tiff =
      (little ? [0x49, 0x49] : [0x4D, 0x4D]) + short(42) + long(8) + short(1) + tag + short(3)
      + long(1) + short(value) + [0, 0] + long(0)
    let block: [UInt8] = [0x45, 0x78, 0x69, 0x66, 0, 0] + tiff
    return [0xFF, 0xD8, 0xFF, 0xE1, 0, UInt8(block.count + 2)] + block + [0xFF, 0xDA]
  }

  private static func read(_ bytes: [UInt8]) -> Orientation {
    bytes.withUnsafeBytes { Orientation(jpeg: $0) }
  }

  @Test func bothByteOrdersAreRead() {
    for orientation in Orientation.allCases {
      let value = UInt8(orientation.rawValue)
      #expect(Self.read(Self.header(little: true, value: value)) == orientation)
      #expect(Self.read(Self.header(little: false, value: value)) == orientation)
    }
    #expect(Self.read(Self.header(little: true, value: 9)) == .upright)
  }

  @Test func noDamageTraps() {
    let whole = Self.header(little: true, value: 6)
    for length in 0..<whole.count { _ = Self.read(Array(whole.prefix(length))) }
    for place in whole.indices {
      for value in [0, 1, 0x7F, 0x80, 0xFF] as [UInt8] {
        var broken = whole
        broken[place] = value
        _ = Self.read(broken)
      }
    }
  }
}
