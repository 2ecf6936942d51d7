/// Text from files and users, made fit for a terminal and a log.
package enum PrintedText {
  /// The most Unicode scalars of an error or a warning.
  package static let longestLine = 500
  private static let mark = " \u{2026} "

  /// A text whose characters all show as themselves: what would move the cursor, start a new line, turn
  /// the direction of reading or be invisible is written as `\u{1B}`.
  ///
  /// - Parameter text: Any text.
  /// - Returns: One line without control and format characters.
  package static func escaped(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isHidden) else { return text }
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": result += "\\n".unicodeScalars
      case "\r": result += "\\r".unicodeScalars
      case "\t": result += "\\t".unicodeScalars
      case _ where isHidden(scalar):
        result += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars
      default: result.append(scalar)
      }
    }
    return String(result)
  }

  /// Several lines, each as ``escaped(_:)`` writes it; tabs stay.
  ///
  /// - Parameter text: Any text.
  package static func escapedLines(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { isHidden($0) && $0 != "\n" && $0 != "\t" }) else {
      return text
    }
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    return lines.map { line in
      line.split(separator: "\t", omittingEmptySubsequences: false)
        .map { escaped(String($0)) }.joined(separator: "\t")
    }.joined(separator: "\n")
  }

  /// An error or a warning as one line; of a long one the beginning, which names the place, and the end,
  /// which names the remedy, are kept.
  ///
  /// - Parameters:
  ///   - text: Any text.
  ///   - limit: The most Unicode scalars of the line; at least 10.
  /// - Returns: The line, without a line end.
  package static func line(_ text: String, limit: Int = longestLine) -> String {
    let escaped = escaped(text)
    let scalars = escaped.unicodeScalars
    guard scalars.count > limit else { return escaped }
    let room = limit - mark.unicodeScalars.count
    let tail = room * 2 / 5
    return String(scalars.prefix(room - tail)) + mark + String(scalars.suffix(tail))
  }

  /// Whether a scalar is not seen as itself; the joiners within words and emoji are.
  static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
    if (0x20..<0x7F).contains(scalar.value) { return false }
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: return true
    case .format: return scalar != "\u{200C}" && scalar != "\u{200D}"
    default: return false
    }
  }
}
