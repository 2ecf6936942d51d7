import Foundation

/// A line of a terminal that is written over and over.
package enum LiveLine {
  /// What goes to the beginning of a live line and clears it.
  ///
  /// Most terminals break a line anew when their window becomes narrower, so that it takes several
  /// rows; those above the cursor are cleared too.
  ///
  /// - Parameters:
  ///   - columns: The columns of the line as it was written; the cursor stands behind it.
  ///   - width: The columns of the window now; nil when they are not known.
  ///   - environment: The variables that tell terminals which cut lines off instead.
  /// - Returns: A text without visible characters.
  package static func clearing(
    columns: Int, width: Int?, environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String {
    guard let width, width > 0, columns > width, breaksLines(environment) else {
      return "\r\u{1B}[K"
    }
    return "\r\u{1B}[\((columns - 1) / width)A\u{1B}[J"
  }

  /// Whether a terminal breaks its lines anew; xterm, screen and the console of Linux do not.
  private static func breaksLines(_ environment: [String: String]) -> Bool {
    let kind = environment["TERM"] ?? ""
    if environment["TMUX"] != nil { return true }
    return environment["XTERM_VERSION"] == nil && kind != "linux" && !kind.hasPrefix("screen")
  }

  /// The columns of a terminal's window.
  ///
  /// - Parameter descriptor: The open terminal.
  /// - Returns: The columns, or nil when it does not tell them.
  package static func width(of descriptor: Int32) -> Int? {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}

extension String {
  /// The columns a terminal needs for the text: two for East Asian characters and pictures.
  package var columns: Int {
    reduce(0) { sum, character in
      guard let scalar = character.unicodeScalars.first?.value else { return sum }
      let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
        0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD,
      ]
      return sum + (wide.contains { $0.contains(scalar) } ? 2 : 1)
    }
  }
}
