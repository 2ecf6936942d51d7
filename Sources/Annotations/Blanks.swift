extension String {
  /// The text without blanks, line ends and byte-order marks at both ends.
  func trimmingBlanks() -> String {
    func isBlank(_ character: Character) -> Bool {
      character.isWhitespace || character == "\u{FEFF}"
    }
    guard let first = first, let last = last, isBlank(first) || isBlank(last) else { return self }
    let start = firstIndex { !isBlank($0) } ?? endIndex
    let end = lastIndex { !isBlank($0) }.map { index(after: $0) } ?? start
    return String(self[start..<end])
  }
}
