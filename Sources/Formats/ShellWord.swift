/// A word of a command that people are told to type.
package enum ShellWord {
  /// What shells take as it is.
  private static let plain = Set(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+=,-")
  /// What means something within double quotes.
  private static let special = Set("\\\"$`")

  /// A word that a shell gives to the program as it is.
  ///
  /// - Parameter word: A path or a name.
  /// - Returns: The word, in double quotes where it needs some: messages stand commands in single ones.
  package static func quoted(_ word: String) -> String {
    let isPlain = word.allSatisfy { plain.contains($0) || ($0.isLetter && !$0.isASCII) }
    guard word.isEmpty || !isPlain else { return word }
    return "\"" + word.map { special.contains($0) ? "\\\($0)" : "\($0)" }.joined() + "\""
  }
}
