import Formats
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
    return terminal(width: LiveLine.width(of: descriptor), environment: environment)
  }

  /// The style of a terminal; 80 columns when it does not tell its width.
  static func terminal(width: Int?, environment: [String: String]) -> TerminalStyle {
    guard environment["TERM"] != "dumb" else { return .plain }
    return TerminalStyle(
      isTerminal: true, width: width ?? 80, usesColor: (environment["NO_COLOR"] ?? "").isEmpty)
  }
}

extension String {
  /// The text cut to a number of columns, with a mark where something is missing.
  func shortened(to limit: Int, mark: String) -> String {
    guard columns > limit else { return self }
    guard limit > mark.columns else { return String(mark.prefix(max(0, limit))) }
    var (kept, width) = ("", mark.columns)
    for character in self {
      width += String(character).columns
      guard width <= limit else { break }
      kept.append(character)
    }
    return kept + mark
  }
}
