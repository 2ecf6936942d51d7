/// A class of a vocabulary: the name that results show, and other names of the same thing.
package struct ClassName: Sendable, Hashable {
  /// The name that results show.
  package let name: String
  /// Other names of the same thing.
  package let synonyms: [String]

  package init(_ name: String, synonyms: [String] = []) {
    self.name = name
    self.synonyms = synonyms
  }

  /// The name and its synonyms.
  package var all: [String] { [name] + synonyms }

  /// A name without blanks and what is not seen at all, a joiner or a mark of direction for example.
  static func bare(_ name: String) -> String {
    let seen = name.unicodeScalars.filter {
      !$0.properties.isWhitespace && $0.properties.generalCategory != .format
    }
    return String(String.UnicodeScalarView(seen))
  }

  /// In what two names differ that are alike but for case, blanks and signs: "case" for example.
  static func differences(_ one: String, _ other: String) -> String {
    if one.lowercased() == other.lowercased() { return "case" }
    if bare(one) == bare(other) { return "blanks" }
    return bare(one).lowercased() == bare(other).lowercased() ? "case and blanks" : "signs"
  }

  /// A name as a sentence uses it: lower-case words, "or" for a slash, no dots at the end.
  ///
  /// - Parameter name: The name as the data set writes it.
  /// - Returns: The name in plain words.
  package static func plain(_ name: String) -> String {
    var words = name.replacing("_", with: " ").replacing("/", with: " or ").lowercased()
    while words.hasSuffix(".") { words.removeLast() }
    return words
  }
}
