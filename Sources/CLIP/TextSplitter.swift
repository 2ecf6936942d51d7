/// Cuts a cleaned text into the words that byte pairs are merged in.
///
/// Source: spec clip 3.7, step 2; at each place the first alternative that matches is taken.
enum TextSplitter {
  /// One word, or a marker that stands for itself.
  enum Piece {
    case start
    case end
    case word(ArraySlice<Unicode.Scalar>)
  }

  private enum Kind {
    case space, letter, number, other

    init(_ scalar: Unicode.Scalar) {
      switch scalar.properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
        self = .letter
      case .decimalNumber, .letterNumber, .otherNumber: self = .number
      default: self = scalar.properties.isWhitespace ? .space : .other
      }
    }
  }

  private static let startMarker = Array("<|startoftext|>".unicodeScalars)
  private static let endMarker = Array("<|endoftext|>".unicodeScalars)
  private static let clitics = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map {
    Array($0.unicodeScalars)
  }

  /// Hands the pieces of a lower-case text to a function, left to right.
  static func split(_ text: String, _ body: (Piece) -> Void) {
    let scalars = Array(text.unicodeScalars)
    var position = 0
    while position < scalars.count {
      let rest = scalars[position...]
      if rest.starts(with: startMarker) {
        body(.start)
        position += startMarker.count
      } else if rest.starts(with: endMarker) {
        body(.end)
        position += endMarker.count
      } else if let clitic = clitics.first(where: { rest.starts(with: $0) }) {
        body(.word(rest.prefix(clitic.count)))
        position += clitic.count
      } else {
        let kind = Kind(scalars[position])
        var end = position + 1
        // Numbers go one character at a time, letters and signs in runs.
        if kind == .letter || kind == .other {
          while end < scalars.count, Kind(scalars[end]) == kind { end += 1 }
        }
        if kind != .space { body(.word(scalars[position..<end])) }
        position = end
      }
    }
  }
}
