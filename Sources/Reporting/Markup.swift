/// Text for HTML and SVG.
package enum Markup {
  /// A text that is safe between tags and inside quoted attributes, in HTML and in XML.
  ///
  /// Line ends become line feeds. Characters that XML or HTML forbid, such as the escape of a
  /// terminal colour, become the replacement character.
  ///
  /// - Parameter text: Any text.
  /// - Returns: The same text as markup.
  package static func escaped(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    result.reserveCapacity(text.utf8.count)
    var afterReturn = false
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result.append(contentsOf: "&amp;".unicodeScalars)
      case "<": result.append(contentsOf: "&lt;".unicodeScalars)
      case ">": result.append(contentsOf: "&gt;".unicodeScalars)
      case "\"": result.append(contentsOf: "&quot;".unicodeScalars)
      // `&apos;` is unknown to old HTML.
      case "'": result.append(contentsOf: "&#39;".unicodeScalars)
      case "\r": result.append("\n")
      case "\n" where afterReturn: break
      default: result.append(isForbidden(scalar) ? "\u{FFFD}" : scalar)
      }
      afterReturn = scalar == "\r"
    }
    return String(result)
  }

  /// Controls and noncharacters.
  private static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x9, 0xA: false
    case 0..<0x20, 0x7F...0x9F, 0xFDD0...0xFDEF: true
    default: scalar.value & 0xFFFE == 0xFFFE
    }
  }
}
