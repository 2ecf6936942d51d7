import Formats

/// A table of text with aligned columns.
///
/// On a terminal, text columns are shortened until the table fits the window; elsewhere only ASCII is
/// drawn and only names are cut, those that are longer than any sensible one.
package struct TerminalTable: Sendable {
  /// The side that a column's cells keep to.
  package enum Alignment: Sendable {
    case left
    case right
  }

  /// One column.
  package struct Column: Sendable {
    let title: String
    let alignment: Alignment
    /// The columns that a cell may take wherever it is written.
    var limit = Int.max

    /// A column of text, aligned left.
    ///
    /// - Parameter title: The heading.
    package static func text(_ title: String) -> Column {
      Column(title: title, alignment: .left)
    }

    /// A column of names out of files, aligned left.
    ///
    /// - Parameters:
    ///   - title: The heading.
    ///   - limit: The columns that a name may take; longer ones are cut everywhere.
    package static func name(_ title: String, limit: Int = 40) -> Column {
      Column(title: title, alignment: .left, limit: limit)
    }

    /// A column of numbers, aligned right and not shortened to fit a window.
    ///
    /// - Parameter title: The heading.
    package static func number(_ title: String) -> Column {
      Column(title: title, alignment: .right)
    }
  }

  private let columns: [Column]
  /// The cells of each row; nil draws a rule.
  private var rows: [[String]?] = []
  /// The fewest columns that a shortened text keeps.
  private static let narrowest = 8
  private static let gap = "  "

  package init(_ columns: [Column]) {
    self.columns = columns
  }

  /// Adds a row.
  ///
  /// - Parameter cells: One text per column; missing ones at the end stay empty.
  package mutating func add(_ cells: [String]) {
    precondition(
      cells.count <= columns.count, "a row of \(cells.count) cells for \(columns.count) columns")
    rows.append(
      cells.map(PrintedText.escaped) + Array(repeating: "", count: columns.count - cells.count))
  }

  /// Adds a rule between rows.
  package mutating func addRule() { rows.append(nil) }

  /// The table as lines, each with a line end.
  ///
  /// - Parameter style: Where it goes.
  /// - Returns: Heading, rule and rows.
  package func text(style: TerminalStyle) -> String {
    let widths = widths(limit: style.isTerminal ? style.width : nil)
    let mark = style.isTerminal ? "\u{2026}" : "..."
    let stroke = style.isTerminal ? "\u{2500}" : "-"
    let rule = widths.map { String(repeating: stroke, count: $0) }.joined(separator: Self.gap)
    var lines = [line(columns.map(\.title), widths, mark), rule]
    for row in rows { lines.append(row.map { line($0, widths, mark) } ?? rule) }
    return lines.map { $0 + "\n" }.joined()
  }

  private func widths(limit: Int?) -> [Int] {
    var widths = columns.indices.map { index in
      min(
        columns[index].limit,
        rows.reduce(columns[index].title.columns) { max($0, $1?[index].columns ?? 0) })
    }
    guard let limit else { return widths }
    var excess = widths.reduce(0, +) + Self.gap.count * (widths.count - 1) - limit
    while excess > 0 {
      let candidates = columns.indices.filter {
        columns[$0].alignment == .left && widths[$0] > Self.narrowest
      }
      guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
      widths[widest] -= 1
      excess -= 1
    }
    return widths
  }

  private func line(_ cells: [String], _ widths: [Int], _ mark: String) -> String {
    let padded = columns.indices.map { index in
      let text = cells[index].shortened(to: widths[index], mark: mark)
      let space = String(repeating: " ", count: widths[index] - text.columns)
      return columns[index].alignment == .left ? text + space : space + text
    }
    var line = padded.joined(separator: Self.gap)
    while line.last == " " { line.removeLast() }
    return line
  }
}
