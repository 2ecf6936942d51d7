import CFreeType
import Foundation
import Synchronization

/// Letters of the system's fonts, for labels that the stroke font cannot write.
///
/// The first font that has a letter draws it: those with Latin, Greek and Cyrillic first, then those
/// with Chinese, Japanese and Korean, then all others. Letters are drawn one by one from left to right,
/// without the joins and turns of scripts that need them.
package final class SystemFont: Sendable {
  /// A letter as it is drawn.
  struct Glyph: Sendable {
    /// How much of each pixel is covered, row by row, from 0 to 255.
    let coverage: [UInt8]
    let width: Int
    let height: Int
    /// Pixels from the pen to the first column.
    let left: Int
    /// Pixels from the base line up to the first row.
    let top: Int
    /// How far the pen moves on.
    let advance: Double
  }

  /// The fonts of this machine: those of the folder `$BARON_FONTS`, else of the usual places.
  package static let shared = SystemFont(folders: folders)

  private static var folders: [String] {
    let chosen = ProcessInfo.processInfo.environment["BARON_FONTS"] ?? ""
    guard chosen.isEmpty else { return [chosen] }
    let home = NSHomeDirectory()
    return [
      "/usr/share/fonts", "/usr/local/share/fonts", "\(home)/.local/share/fonts",
      "\(home)/.fonts", "/Library/Fonts", "/System/Library/Fonts",
    ]
  }

  private let state: Mutex<Faces>

  /// Looks for fonts when the first letter is asked for.
  ///
  /// - Parameter folders: Where they lie, at any depth.
  package init(folders: [String]) { state = Mutex(Faces(folders: folders)) }

  /// A letter, or nil when no font has it.
  ///
  /// - Parameters:
  ///   - scalar: The letter.
  ///   - capitalHeight: The height of a capital in pixels.
  func glyph(of scalar: Unicode.Scalar, capitalHeight: Double) -> Glyph? {
    state.withLock { $0.glyph(of: scalar, capitalHeight: capitalHeight) }
  }

  /// The texts that have a letter which no font has.
  ///
  /// - Parameter texts: The texts.
  /// - Returns: Some of them, in order.
  package func unable(toWrite texts: [String]) -> [String] {
    texts.filter { text in
      LabelText.letters(of: text).contains { letter in
        !letter.isASCII && glyph(of: letter, capitalHeight: 10) == nil
      }
    }
  }
}

/// The fonts that are open so far.
private struct Faces: ~Copyable {
  /// More fonts than a system has of use here; each is opened for a letter that no other has.
  private static let mostFiles = 1000
  /// The height of capitals of most fonts in parts of the size.
  private static let capitalShare = 0.72

  private let folders: [String]
  private var library: FT_Library?
  private var open: [FT_Face] = []
  /// Files that have not been opened; nil before they were looked for.
  private var rest: [String]?
  /// Letters that no font has.
  private var missing: Set<Unicode.Scalar> = []

  init(folders: [String]) { self.folders = folders }

  deinit {
    for face in open { FT_Done_Face(face) }
    if let library { FT_Done_FreeType(library) }
  }

  mutating func glyph(of scalar: Unicode.Scalar, capitalHeight: Double) -> SystemFont.Glyph? {
    guard !missing.contains(scalar), capitalHeight.isFinite, capitalHeight > 0 else { return nil }
    let size = FT_UInt(max(1, min(2000, (capitalHeight / Self.capitalShare).rounded())))
    for face in open {
      if let glyph = Self.glyph(of: scalar, in: face, size: size) { return glyph }
    }
    while let face = openNext() {
      if let glyph = Self.glyph(of: scalar, in: face, size: size) { return glyph }
    }
    missing.insert(scalar)
    return nil
  }

  private mutating func openNext() -> FT_Face? {
    if rest == nil {
      rest = Self.files(in: folders)
      if FT_Init_FreeType(&library) != 0 { library = nil }
    }
    guard let library else { return nil }
    while let path = rest?.first {
      rest?.removeFirst()
      var face: FT_Face?
      guard FT_New_Face(library, path, 0, &face) == 0, let face else { continue }
      open.append(face)
      return face
    }
    return nil
  }

  private static func glyph(
    of scalar: Unicode.Scalar, in face: FT_Face, size: FT_UInt
  ) -> SystemFont.Glyph? {
    let index = FT_Get_Char_Index(face, FT_ULong(scalar.value))
    guard index != 0, FT_Set_Pixel_Sizes(face, 0, size) == 0,
      baron_render_glyph(face, index) == 0, let slot = face.pointee.glyph?.pointee
    else { return nil }
    let bitmap = slot.bitmap
    let (width, height) = (Int(bitmap.width), Int(bitmap.rows))
    var coverage: [UInt8] = []
    if width > 0, height > 0 {
      guard bitmap.pixel_mode == UInt8(FT_PIXEL_MODE_GRAY.rawValue), let buffer = bitmap.buffer,
        bitmap.pitch >= width
      else { return nil }
      for row in 0..<height {
        coverage += UnsafeBufferPointer(start: buffer + row * Int(bitmap.pitch), count: width)
      }
    }
    return SystemFont.Glyph(
      coverage: coverage, width: width, height: height, left: Int(slot.bitmap_left),
      top: Int(slot.bitmap_top), advance: Double(slot.advance.x) / 64)
  }

  /// Font files, the most useful ones first.
  private static func files(in folders: [String]) -> [String] {
    var files: [String] = []
    for folder in folders {
      let content = FileManager.default.enumerator(atPath: folder)
      while let name = content?.nextObject() as? String, files.count < mostFiles {
        let kind = name.suffix(4).lowercased()
        if [".ttf", ".otf", ".ttc", ".otc"].contains(kind) { files.append("\(folder)/\(name)") }
      }
    }
    return files.map { (path: $0, rank: rank(of: $0)) }
      .sorted { $0.rank != $1.rank ? $0.rank < $1.rank : $0.path < $1.path }.map(\.path)
  }

  private static let first = [
    "notosans-regular", "dejavusans", "liberationsans-regular", "freesans", "arial",
    "notosanscjk-regular", "sourcehansans-regular", "wqy-microhei", "wqy-zenhei",
    "droidsansfallbackfull", "droidsansfallback",
  ]

  private static func rank(of path: String) -> Int {
    let name = URL(filePath: path).deletingPathExtension().lastPathComponent.lowercased()
    if let place = first.firstIndex(of: name) { return place }
    // Slanted, heavy and narrow ones only where no other has the letter.
    let odd = ["italic", "oblique", "bold", "black", "light", "thin", "condensed", "mono", "serif"]
    return first.count + odd.count { name.contains($0) } + (name.contains("sans") ? 0 : 1)
  }
}
