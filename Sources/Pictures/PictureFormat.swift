import Formats

/// The formats that can be decoded, told by a file's first bytes.
enum PictureFormat: CaseIterable {
  case jpeg
  case png
  case webp
  case bmp

  /// Why a file is none of these.
  static func refusal(of bytes: UnsafeRawBufferPointer) -> String {
    guard let kind = FileKind(bytes) else {
      let first = bytes.prefix(4).map { $0.digits(2, radix: 16) }
      return "is neither JPEG nor PNG, WebP or BMP (it starts with \(first.joined(separator: " ")))"
    }
    if kind.isVideo {
      return "\(kind.explanation): let ffmpeg write its frames as pictures, or to 'baron detect -'"
    }
    return kind.isPicture
      ? "\(kind.explanation), which is not supported; convert it to JPEG or PNG" : kind.explanation
  }

  /// The format of a file, or nil when it is none of them.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard let format = Self.allCases.first(where: { $0.isFormat(of: bytes) }) else { return nil }
    self = format
  }

  private func isFormat(of bytes: UnsafeRawBufferPointer) -> Bool {
    switch self {
    case .jpeg: bytes.starts(with: [0xFF, 0xD8])
    case .png: bytes.starts(with: PNG.signature)
    case .webp: bytes.starts(with: "RIFF".utf8) && bytes.dropFirst(8).starts(with: "WEBP".utf8)
    case .bmp: bytes.starts(with: "BM".utf8)
    }
  }

  /// The width and height that the header declares, before any turning.
  func size(of bytes: UnsafeRawBufferPointer) -> (width: Int, height: Int)? {
    switch self {
    case .jpeg: JPEG.size(of: bytes)
    case .png: PNG.size(of: bytes)
    case .webp: WebP.size(of: bytes)
    case .bmp: BMP.size(of: bytes)
    }
  }

  /// How the stored picture must be turned.
  func orientation(of bytes: UnsafeRawBufferPointer) -> Orientation {
    switch self {
    case .jpeg: Orientation(jpeg: bytes)
    case .webp: Orientation(webp: bytes)
    case .png, .bmp: .upright
    }
  }

  /// The picture, turned as its EXIF orientation says.
  func decode(_ bytes: UnsafeRawBufferPointer, name: String) throws -> Image {
    switch self {
    case .jpeg: try JPEG.decode(bytes, name: name)
    case .png: try PNG.decode(bytes, name: name)
    case .webp: try WebP.decode(bytes, name: name)
    case .bmp: try BMP.decode(bytes, name: name)
    }
  }
}
