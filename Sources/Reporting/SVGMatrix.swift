import Foundation

/// Counts in rows and columns, shaded by their share of the row, as SVG.
///
/// The diagonal has the colour of what is right, all else that of what is wrong.
package struct SVGMatrix: Sendable {
  private let title: String
  private let rows: [String]
  private let columns: [String]
  private let rowTitle: String
  private let columnTitle: String
  private let counts: [[Int]]

  private static let cellWidth = 40.0
  private static let cellHeight = 28.0
  private static let labelColumns = 18
  private static let slope = 45.0

  /// Creates a matrix.
  ///
  /// - Parameters:
  ///   - title: What it shows; also its text for people who do not see it.
  ///   - rows: The names of the rows.
  ///   - columns: The names of the columns.
  ///   - rowTitle: What rows are.
  ///   - columnTitle: What columns are.
  ///   - counts: The numbers, `[row][column]`.
  package init(
    title: String, rows: [String], columns: [String], rowTitle: String, columnTitle: String,
    counts: [[Int]]
  ) {
    precondition(
      counts.count == rows.count && counts.allSatisfy { $0.count == columns.count },
      "\(counts.count) rows of numbers for \(rows.count) names")
    self.title = title
    self.rows = rows
    self.columns = columns
    self.rowTitle = rowTitle
    self.columnTitle = columnTitle
    self.counts = counts
  }

  /// The drawing.
  ///
  /// - Returns: One `svg` element, to stand in a page or alone.
  package func svg() -> String {
    let rowNames = rows.map { $0.shortened(to: Self.labelColumns, mark: "\u{2026}") }
    let columnNames = columns.map { $0.shortened(to: Self.labelColumns, mark: "\u{2026}") }
    func length(_ names: [String]) -> Double {
      Double(names.map(\.columns).max() ?? 0) * SVGCanvas.characterWidth
    }
    let left = 30 + length(rowNames) + 10
    // Slanted names rise by their length times the sine of the slope, and reach out on the right.
    let rise = length(columnNames) * sin(Self.slope * .pi / 180) + 12
    let width = left + Double(columns.count) * Self.cellWidth + max(rise, 60)
    var canvas = SVGCanvas(title: title, width: max(400, width))
    let top = 64 + rise
    canvas.text(
      columnTitle, x: left, y: 48, attributes: "font-style=\"italic\" fill-opacity=\"0.75\"")
    let middle = top + Double(rows.count) * Self.cellHeight / 2
    canvas.text(
      rowTitle, x: 16, y: middle, anchor: .middle,
      attributes: "font-style=\"italic\" fill-opacity=\"0.75\" transform=\"rotate(-90 16 "
        + "\(SVGCanvas.number(middle)))\"")
    for (index, name) in columnNames.enumerated() {
      let x = left + (Double(index) + 0.5) * Self.cellWidth
      canvas.text(
        name, x: x, y: top - 8,
        attributes: "transform=\"rotate(-\(SVGCanvas.number(Self.slope)) "
          + "\(SVGCanvas.number(x)) \(SVGCanvas.number(top - 8)))\"",
        hint: name == columns[index] ? nil : columns[index])
    }
    for (row, name) in rowNames.enumerated() {
      let y = top + Double(row) * Self.cellHeight
      canvas.text(
        name, x: left - 8, y: y + Self.cellHeight / 2 + 4, anchor: .end,
        hint: name == rows[row] ? nil : rows[row])
      let sum = counts[row].reduce(0, +)
      for (column, count) in counts[row].enumerated() {
        let x = left + Double(column) * Self.cellWidth
        let isRight = rows[row] == columns[column]
        canvas.add(cell(x, y, share: sum > 0 ? Double(count) / Double(sum) : 0, isRight: isRight))
        guard count > 0 else { continue }
        canvas.text(
          Self.short(count), x: x + Self.cellWidth / 2, y: y + Self.cellHeight / 2 + 4,
          anchor: .middle, hint: "\(rows[row]), taken for \(columns[column]): \(count)")
      }
    }
    return canvas.svg(height: top + Double(rows.count) * Self.cellHeight + 8)
  }

  private func cell(_ x: Double, _ y: Double, share: Double, isRight: Bool) -> String {
    let place = SVGCanvas.attributes([
      "x": x + 0.5, "y": y + 0.5, "width": Self.cellWidth - 1, "height": Self.cellHeight - 1,
    ])
    let name = isRight ? "var(--right,#0b62a8)" : "var(--wrong,#b8420d)"
    // The root lets single mistakes be seen; text stays legible on more than half of the colour.
    let opacity = String(format: "%.2f", 0.55 * share.squareRoot())
    return "<rect class=\"cell\" \(place) style=\"fill:\(name);fill-opacity:\(opacity)\""
      + " stroke=\"currentColor\" stroke-opacity=\"0.12\"/>"
  }

  /// A count in at most four characters.
  private static func short(_ count: Int) -> String {
    if count < 10_000 { return "\(count)" }
    return count < 1_000_000 ? "\(count / 1000)k" : "\(count / 1_000_000)M"
  }
}
