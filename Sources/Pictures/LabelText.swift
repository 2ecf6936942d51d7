import Foundation

/// A text as it is drawn: printable ASCII by the stroke font, which looks the same everywhere, any
/// other text by the system's fonts; a letter that none has shows as "?".
struct LabelText {
  /// One letter.
  enum Element {
    /// Drawn by a pen.
    case strokes(StrokeFont.Glyph)
    /// Drawn by a font.
    case bitmap(SystemFont.Glyph)
  }

  /// The letters, and how far the pen moves behind each, in pixels.
  let elements: [(element: Element, advance: Double)]
  /// The width without the gap behind the last letter, in pixels.
  let width: Double

  /// Chooses letters.
  ///
  /// - Parameters:
  ///   - text: The text.
  ///   - capitalHeight: The height of a capital in pixels.
  ///   - font: The system's fonts.
  init(_ text: String, capitalHeight: Double, font: SystemFont = .shared) {
    let scale = capitalHeight / StrokeFont.capitalHeight
    func strokes(_ character: Character) -> (element: Element, advance: Double) {
      let glyph = StrokeFont.glyph(of: character)
      return (.strokes(glyph), glyph.advance * scale)
    }
    let isPlain = text.unicodeScalars.allSatisfy { (0x20..<0x7F).contains($0.value) }
    elements =
      isPlain
      ? text.map(strokes)
      : Self.letters(of: text).map { letter in
        guard let glyph = font.glyph(of: letter, capitalHeight: capitalHeight) else {
          return strokes(Character(letter))
        }
        return (.bitmap(glyph), glyph.advance)
      }
    var width = elements.reduce(0) { $0 + $1.advance }
    if case .strokes = elements.last?.element { width -= StrokeFont.gap * scale }
    self.width = max(0, width)
  }

  /// The letters of a text, accents joined with theirs where there is such a letter, without those
  /// that are invisible.
  static func letters(of text: String) -> [Unicode.Scalar] {
    text.precomposedStringWithCanonicalMapping.unicodeScalars.filter {
      !$0.properties.isDefaultIgnorableCodePoint
    }
  }
}
