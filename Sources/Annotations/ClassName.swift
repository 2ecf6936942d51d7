/// A class of a vocabulary: the name that results show, and other names of the same thing.
package struct ClassName: Sendable, Equatable {
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
