import Foundation

/// Brings a text into the form that CLIP's vocabulary was made for.
///
/// Source: spec clip 3.7, step 1.
enum TextCleaning {
  /// Repairs, unescapes, trims, collapses spaces and lower-cases a text.
  static func clean(_ text: String) -> String {
    let unescaped = HTMLEntities.unescape(HTMLEntities.unescape(TextRepair.repair(text)))
    let words = unescaped.unicodeScalars.split { $0.properties.isWhitespace }
    return words.map { lowercased($0) }.joined(separator: " ")
  }

  /// Lower case with the one rule that looks at neighbours: a sigma that ends a word.
  private static func lowercased(_ word: Substring.UnicodeScalarView) -> String {
    let text = String(Substring(word))
    guard text.unicodeScalars.contains("\u{3A3}") else { return text.lowercased() }
    let scalars = Array(text.unicodeScalars)
    var lower = ""
    for (index, scalar) in scalars.enumerated() {
      let isFinal =
        scalar == "\u{3A3}"
        && (scalars[..<index].last { !$0.properties.isCaseIgnorable }?.properties.isCased ?? false)
        && !(scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }?.properties.isCased
          ?? false)
      lower += isFinal ? "\u{3C2}" : scalar.properties.lowercaseMapping
    }
    return lower
  }
}

/// Repairs texts as the ftfy library does, as far as captions and class names need it.
///
/// Covered: UTF-8 that was read as Windows-1252 throughout the text, Latin ligatures, full-width and
/// half-width forms, curly quotes, control characters, composition (NFC). Not covered: ftfy's
/// search for damaged stretches inside sound text, and other encodings.
enum TextRepair {
  /// Repairs a text.
  static func repair(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "&") }) { return text }
    // An angle bracket means that the text may be HTML, which the library leaves alone.
    var text = text.contains("<") ? text : HTMLEntities.unescape(text)
    while let repaired = decodedTwice(text) { text = repaired }
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars where !isControl(scalar) {
      if let plain = replacements[scalar] {
        scalars.append(contentsOf: plain.unicodeScalars)
      } else if (0xFF01...0xFFEF).contains(scalar.value) || scalar.value == 0x3000 {
        let wide = String(Character(scalar)).precomposedStringWithCompatibilityMapping
        scalars.append(contentsOf: wide.unicodeScalars)
      } else {
        scalars.append(scalar)
      }
    }
    return String(scalars).precomposedStringWithCanonicalMapping
  }

  private static let replacements: [Unicode.Scalar: String] = [
    "\u{2018}": "'", "\u{2019}": "'", "\u{201A}": "'", "\u{201B}": "'", "\u{2BC}": "'",
    "\u{201C}": "\"", "\u{201D}": "\"", "\u{201E}": "\"", "\u{201F}": "\"",
    "\u{132}": "IJ", "\u{133}": "ij", "\u{149}": "'n", "\u{1F1}": "DZ", "\u{1F2}": "Dz",
    "\u{1F3}": "dz", "\u{1C4}": "D\u{17D}", "\u{1C5}": "D\u{17E}", "\u{1C6}": "d\u{17E}",
    "\u{1C7}": "LJ", "\u{1C8}": "Lj", "\u{1C9}": "lj", "\u{1CA}": "NJ", "\u{1CB}": "Nj",
    "\u{1CC}": "nj", "\u{FB00}": "ff", "\u{FB01}": "fi", "\u{FB02}": "fl", "\u{FB03}": "ffi",
    "\u{FB04}": "ffl", "\u{FB05}": "\u{17F}t", "\u{FB06}": "st",
  ]

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0...8, 0x0B, 0x0E...0x1F, 0x7F, 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC: true
    default: false
    }
  }

  /// The text whose UTF-8 bytes, read as Windows-1252, give this one; nil when it cannot be.
  ///
  /// Sound text hardly ever passes: each accented letter would have to be followed by the sign that
  /// continues its byte sequence.
  private static func decodedTwice(_ text: String) -> String? {
    var bytes: [UInt8] = []
    var isPlain = true
    for scalar in text.unicodeScalars {
      guard let byte = WindowsText.byte(of: scalar) else {
        return nil
      }
      bytes.append(byte)
      if scalar.value >= 0x80 { isPlain = false }
    }
    return isPlain ? nil : String(validating: bytes, as: UTF8.self)
  }
}

/// The Windows-1252 code page.
enum WindowsText {
  /// What bytes 0x80 to 0x9F mean; the five that the code page leaves open mean themselves.
  private static let upper: [UInt32] = [
    0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039,
    0x0152, 0x8D, 0x017D, 0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
    0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D, 0x017E, 0x0178,
  ]
  private static let bytes = Dictionary(
    upper.enumerated().map { ($1, UInt8(0x80 + $0)) }
  ) { first, _ in first }

  /// The byte that means a character, or nil when none does.
  static func byte(of scalar: Unicode.Scalar) -> UInt8? {
    if let byte = bytes[scalar.value] { return byte }
    return scalar.value < 0x80 || (0xA0...0xFF).contains(scalar.value) ? UInt8(scalar.value) : nil
  }

  /// The character that a byte from 0x80 to 0x9F means, or nil for another number.
  static func scalar(ofByte byte: UInt32) -> Unicode.Scalar? {
    (0x80...0x9F).contains(byte) ? Unicode.Scalar(upper[Int(byte - 0x80)]) : nil
  }
}
