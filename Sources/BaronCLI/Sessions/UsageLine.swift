/// Wrong usage as one line, of the several in which the parser tells it.
enum UsageLine {
  /// The line of a message of the parser.
  ///
  /// - Parameters:
  ///   - message: Lines with the fault, what the argument means, the usage and where there is help.
  ///   - hint: What may have been meant instead; nil when nothing is known.
  /// - Returns: The line, without a line end.
  static func of(_ message: String, hint: String?) -> String {
    let lines = message.split(separator: "\n").map(String.init)
    let others = ["Help:", "Usage:", "  See "]
    var fault = lines.prefix { line in !others.contains { line.hasPrefix($0) } }
      .joined(separator: " ")
    if fault.hasPrefix("Error: ") { fault.removeFirst("Error: ".count) }
    // The nearest option by letters is another than the one of that meaning.
    if hint != nil { fault = fault.replacing(/\ Did you mean '[^']*'\?/, with: "") }
    while fault.last == "." || fault.last == " " { fault.removeLast() }
    if let meaning = meaning(lines) { fault += " (\(meaning))" }
    let help = lines.lazy.compactMap { $0.firstMatch(of: /See '([^']+)'/)?.output.1 }.first
    return ([fault, hint].compactMap { $0 } + (help.map { ["see '\($0)'"] } ?? []))
      .joined(separator: "; ")
  }

  /// What the help says of the argument that is missing or wrong.
  private static func meaning(_ lines: [String]) -> String? {
    guard let line = lines.first(where: { $0.hasPrefix("Help:") }),
      let gap = line.dropFirst("Help:  ".count).range(of: "  ")
    else { return nil }
    let text = line[gap.upperBound...].drop { $0 == " " }
    return String(text.last == "." ? text.dropLast() : text)
  }
}
