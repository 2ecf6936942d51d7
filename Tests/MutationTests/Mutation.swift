import Formats

/// Damage of the kinds that readers fall over: flipped bits, cut and doubled pieces, numbers at the ends
/// of their range where lengths stand, and words that a format gives a meaning.
struct Mutation {
  /// What a file consists of, which decides what can be put into it.
  enum Kind {
    case bytes
    case json
    case yaml
    case xml
    case text

    /// Words that stand in the place of a word or number.
    fileprivate var words: [String] {
      switch self {
      case .bytes: []
      case .json:
        [
          "1e308", "-1", "99999999999999999999", "9007199254740993", "-9223372036854775808",
          "1e-400", "0", "null", "true", "[]", "{}", "\"\"", "\"\\u0000\"", "\"\\ud800\"",
          "[[[[[[[[", "]]]]", "NaN", "4294967296", "2147483648", "1073741824", "-0",
          "\"<script>\"", "[0,0,0,0]", "{\"size\":[32768,32768],\"counts\":[1073741824]}",
          "{\"size\":[0,0],\"counts\":[]}", "[[1,1,1e9,1e9,-1e9,5]]", "[[]]",
        ]
      case .yaml:
        [
          "1e999", "-1", "0", "99999999999999999999", ".nan", ".inf", "~", "true", "[]", "{}", "''",
          "\"\\x00\"", "*a", "&a [*a]", "!!binary x", "<<: *a", "? a", "- - -", "|", "2147483648",
          "9223372036854775807", "4611686018427387904", "1000000000", "${HOME}",
        ]
      case .xml:
        [
          "<object>", "</object>", "<bndbox/>", "&#x110000;", "&#0;", "&lt", "<![CDATA[", "]]>",
          "<!--", "1e999", "nan", "-1", "99999999999999999999", "<a a='",
          "<!DOCTYPE a [<!ENTITY b \"c\">]>",
        ]
      case .text:
        [
          "1e999", "-1", "nan", "99999999999999999999", "\u{FEFF}", "\u{0}", "\r\n", "猫",
          "\u{202E}",
        ]
      }
    }
  }

  /// Numbers that lengths and offsets are mistaken about.
  private static let extremes: [UInt64] = [
    0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
    0x1_0000_0000, 0x2000_0000_0000_0000, 0x4000_0000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF,
    0x8000_0000_0000_0000, .max,
  ]
  private static let longest = 4 << 20

  let kind: Kind
  private var random: CounterRandom

  init(_ kind: Kind, seed: UInt64, _ key: String, _ number: Int) {
    self.kind = kind
    random = CounterRandom(seed: seed, CounterRandom.key(key), UInt64(number))
  }

  /// A number from 0 up to and without a limit; 0 for a limit of 0.
  mutating func below(_ limit: Int) -> Int {
    limit > 0 ? Int.random(in: 0..<limit, using: &random) : 0
  }

  /// A file with one fault or several.
  ///
  /// - Parameters:
  ///   - original: A sound file.
  ///   - other: Another one, of which a part may be put in.
  mutating func damaged(_ original: [UInt8], _ other: [UInt8]) -> [UInt8] {
    var bytes = original
    for _ in 0..<1 + (below(3) == 0 ? below(8) : 0) {
      if bytes.isEmpty { bytes = [UInt8(below(256))] } else { change(&bytes, other) }
      if bytes.count > Self.longest { bytes.removeSubrange(Self.longest...) }
    }
    return bytes
  }

  /// Half of the places lie in the first 512 bytes, where headers stand.
  private mutating func place(_ bytes: [UInt8]) -> Int {
    below(2) == 0 ? below(min(bytes.count, 512)) : below(bytes.count)
  }

  private mutating func change(_ bytes: inout [UInt8], _ other: [UInt8]) {
    let start = place(bytes)
    let piece = start..<min(bytes.count, start + 1 + below(64))
    switch below(kind.words.isEmpty ? 10 : 14) {
    case 0: bytes[start] ^= 1 << UInt8(below(8))
    case 1: bytes[start] = UInt8(below(256))
    case 2: bytes.removeSubrange(below(bytes.count)...)
    case 3: bytes = Array(bytes.prefix(below(bytes.count)) + other.dropFirst(below(other.count)))
    case 4: bytes.insert(contentsOf: bytes[piece], at: below(bytes.count + 1))
    case 5: bytes.removeSubrange(piece)
    case 6: putNumber(at: start, of: &bytes)
    case 7:
      bytes.insert(
        contentsOf: [UInt8](repeating: UInt8(below(256)), count: below(1000)),
        at: below(bytes.count + 1))
    case 8: bytes[start] = below(2) == 0 ? bytes[start] &+ 1 : bytes[start] &- 1
    case 9: for place in piece { bytes[place] = 0 }
    default: putWord(at: start, of: &bytes)
    }
  }

  private mutating func putNumber(at start: Int, of bytes: inout [UInt8]) {
    let value = Self.extremes[below(Self.extremes.count)]
    let width = [1, 2, 4, 8][below(4)]
    let isBig = below(2) == 0
    for byte in 0..<width where start + byte < bytes.count {
      let shift = UInt64(8 * (isBig ? width - 1 - byte : byte))
      bytes[start + byte] = UInt8(truncatingIfNeeded: value >> shift)
    }
  }

  private mutating func putWord(at start: Int, of bytes: inout [UInt8]) {
    func belongs(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"):
        true
      default: false
      }
    }
    let words = kind.words
    guard let begin = bytes[start...].firstIndex(where: belongs) else { return }
    let end = bytes[begin...].firstIndex { !belongs($0) } ?? bytes.count
    bytes.replaceSubrange(begin..<end, with: words[below(words.count)].utf8)
  }
}
