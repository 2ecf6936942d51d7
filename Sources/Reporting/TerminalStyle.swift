import Foundation

/// What the place that text goes to can show.
package struct TerminalStyle: Sendable, Equatable {
  /// Whether lines can be rewritten and drawn characters used.
  package var isTerminal: Bool
  /// The columns of a line; nil without a limit.
  package var width: Int?
  /// Whether colours may be used.
  package var usesColor: Bool

  /// Plain ASCII lines of any length, for files and pipes.
  package static let plain = TerminalStyle(isTerminal: false, width: nil, usesColor: false)

  /// The style of an open file; a terminal called "dumb" counts as a file.
  ///
  /// - Parameters:
  ///   - descriptor: The file, 1 for standard output, 2 for standard error.
  ///   - environment: The variables; `NO_COLOR` and `TERM` are looked at.
  /// - Returns: The style at this moment; a window's width may change later.
  package static func detect(
    descriptor: Int32, environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> TerminalStyle {
    guard isatty(descriptor) == 1 else { return .plain }
    var size = winsize()
    let known = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return terminal(width: known ? Int(size.ws_col) : nil, environment: environment)
  }

  /// The style of a terminal; 80 columns when it does not tell its width.
  static func terminal(width: Int?, environment: [String: String]) -> TerminalStyle {
    guard environment["TERM"] != "dumb" else { return .plain }
    return TerminalStyle(
      isTerminal: true, width: width ?? 80, usesColor: (environment["NO_COLOR"] ?? "").isEmpty)
  }
}

extension String {
  /// The columns a terminal needs for the text: two for East Asian characters and pictures.
  var columns: Int {
    reduce(0) { sum, character in
      guard let scalar = character.unicodeScalars.first?.value else { return sum }
      let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
        0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD,
      ]
      return sum + (wide.contains { $0.contains(scalar) } ? 2 : 1)
    }
  }

  /// The text cut to a number of columns, with a mark where something is missing.
  func shortened(to limit: Int, mark: String) -> String {
    guard columns > limit else { return self }
    guard limit > mark.columns else { return String(mark.prefix(max(0, limit))) }
    var kept = self
    while kept.columns + mark.columns > limit { kept.removeLast() }
    return kept + mark
  }
}
