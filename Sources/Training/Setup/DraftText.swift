import Settings

/// YAML with a reason behind each value.
struct DraftText {
  private(set) var text = ""
  private static let width = 100

  /// A quoted value, whatever is in it.
  static func quoted(_ text: String) -> String { text.settingText }

  /// Writes a comment, folded to the width of a line.
  mutating func comment(_ content: String) {
    for paragraph in content.split(separator: "\n") {
      var line = "#"
      for word in paragraph.split(separator: " ") {
        if line.count + 1 + word.count > Self.width {
          text += line + "\n"
          line = "#"
        }
        line += " " + word
      }
      text += line + "\n"
    }
  }

  mutating func blank() { text += "\n" }

  /// Begins a section; one at the top has a blank line above.
  mutating func section(_ depth: Int, _ key: String) {
    if depth == 0 { blank() }
    text += String(repeating: "  ", count: depth) + key + ":\n"
  }

  /// Writes a value with its reason behind it.
  mutating func line(_ depth: Int, _ key: String, _ value: String, _ reason: String = "") {
    let start = String(repeating: "  ", count: depth) + "\(key): \(value)"
    guard !reason.isEmpty else {
      text += start + "\n"
      return
    }
    let gap = String(repeating: " ", count: max(2, 38 - start.count))
    text += start + gap + "# " + reason + "\n"
  }
}
