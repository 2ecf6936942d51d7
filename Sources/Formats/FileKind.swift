/// What a file is that was given in the place of another, told by how it begins.
///
/// Readers refuse what they cannot read; with the kind and its remedy their line says what happened: a
/// page that was downloaded instead of the file, an archive that nobody unpacked.
package enum FileKind: CaseIterable, Sendable {
  case webPage
  case largeFilePointer
  case zip
  case gzip
  case xz
  case bzip2
  case zstandard
  case sevenZip
  case pdf
  case mp4
  case matroska
  case avi
  case heif
  case gif
  case tiff

  /// Tells the kind of a file.
  ///
  /// - Parameter bytes: The file, or its first bytes.
  /// - Returns: The kind; nil for a file of none of these kinds.
  package init?(_ bytes: UnsafeRawBufferPointer) {
    guard let kind = Self.allCases.first(where: { $0.isKind(of: bytes) }) else { return nil }
    self = kind
  }

  /// What it is and what to do, for a line that begins with the file's name.
  package var explanation: String {
    switch self {
    case .webPage: "is a web page, not the file itself: download it again"
    case .largeFilePointer: "is a pointer of Git LFS, not the file itself: run 'git lfs pull'"
    case .zip: "is a zip archive: unpack it"
    case .gzip: "is packed with gzip: unpack it with gunzip"
    case .xz: "is packed with xz: unpack it with unxz"
    case .bzip2: "is packed with bzip2: unpack it with bunzip2"
    case .zstandard: "is packed with zstd: unpack it with unzstd"
    case .sevenZip: "is a 7z archive: unpack it"
    case .pdf: "is a PDF document"
    case .mp4: "is a video (MP4 or QuickTime)"
    case .matroska: "is a video (Matroska or WebM)"
    case .avi: "is a video (AVI)"
    case .heif: "is a HEIF or AVIF picture"
    case .gif: "is a GIF picture"
    case .tiff: "is a TIFF picture"
    }
  }

  /// Whether it shows many pictures one after another.
  package var isVideo: Bool { self == .mp4 || self == .matroska || self == .avi }
  /// Whether it is one picture, in a format that is not decoded.
  package var isPicture: Bool { self == .heif || self == .gif || self == .tiff }

  private func isKind(of bytes: UnsafeRawBufferPointer) -> Bool {
    func begins(_ magic: [UInt8]...) -> Bool { magic.contains { bytes.starts(with: $0) } }
    switch self {
    case .webPage: return Self.isMarkup(bytes)
    case .largeFilePointer: return bytes.starts(with: "version https://git-lfs".utf8)
    case .zip: return begins([0x50, 0x4B, 3, 4], [0x50, 0x4B, 5, 6])
    case .gzip: return begins([0x1F, 0x8B])
    case .xz: return begins([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0])
    case .bzip2: return bytes.starts(with: "BZh".utf8)
    case .zstandard: return begins([0x28, 0xB5, 0x2F, 0xFD])
    case .sevenZip: return begins([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C])
    case .pdf: return bytes.starts(with: "%PDF".utf8)
    case .mp4: return Self.brand(bytes).map { !Self.stills.contains($0) } ?? false
    case .matroska: return begins([0x1A, 0x45, 0xDF, 0xA3])
    case .avi:
      return bytes.starts(with: "RIFF".utf8) && bytes.dropFirst(8).starts(with: "AVI ".utf8)
    case .heif: return Self.brand(bytes).map(Self.stills.contains) ?? false
    case .gif: return bytes.starts(with: "GIF8".utf8)
    case .tiff: return begins([0x49, 0x49, 0x2A, 0], [0x4D, 0x4D, 0, 0x2A])
    }
  }

  /// Brands of the ISO base media format that stand for still pictures.
  private static let stills: Set<String> = [
    "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1", "avif", "avis",
  ]

  /// The brand of a file in the ISO base media format, or nil for others.
  private static func brand(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard bytes.count >= 12, bytes.dropFirst(4).starts(with: "ftyp".utf8) else { return nil }
    return String(decoding: bytes[8..<12], as: UTF8.self)
  }

  private static func isMarkup(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let text = bytes.prefix(256).drop { [0xEF, 0xBB, 0xBF, 0x20, 0x09, 0x0A, 0x0D].contains($0) }
    let start = String(decoding: text.prefix(14), as: UTF8.self).lowercased()
    return start.hasPrefix("<!doctype html") || start.hasPrefix("<html") || start.hasPrefix("<head")
  }
}
