import Foundation

/// Bars of values from 0 to 100 or another limit, side by side within categories, as SVG.
///
/// The drawing scales with its surroundings, takes their text colour, and grows wider with the
/// number of bars. Each value stands above its bar.
package struct SVGBars: Sendable {
  /// The bars of one colour.
  package struct Group: Sendable {
    /// What the legend calls it.
    package let name: String
    /// One value per category; nil has no bar.
    package let values: [Double?]

    package init(name: String, values: [Double?]) {
      self.name = name
      self.values = values
    }
  }

  private let title: String
  private let yLabel: String
  private let categories: [String]
  private let groups: [Group]
  private let limit: Double

  private static let plotHeight = 240.0
  /// A bar is wide enough for a value such as 100.0.
  private static let narrowestBar = 30.0
  private static let widestBar = 64.0
  private static let lineHeight = 15.0
  private static let labelLines = 3

  /// Creates a chart.
  ///
  /// - Parameters:
  ///   - title: What it shows; also its text for people who do not see it.
  ///   - yLabel: What the values are.
  ///   - categories: What stands below the bars, such as the variants of an experiment.
  ///   - groups: The bars of each category.
  ///   - limit: The least that the scale reaches.
  package init(
    title: String, yLabel: String, categories: [String], groups: [Group], limit: Double = 100
  ) {
    self.limit = limit
    for group in groups {
      precondition(
        group.values.count == categories.count,
        "\(group.values.count) values of \(group.name) for \(categories.count) categories")
    }
    self.title = title
    self.yLabel = yLabel
    self.categories = categories
    self.groups = groups
  }

  /// The chart.
  ///
  /// - Returns: One `svg` element, to stand in a page or alone.
  package func svg() -> String {
    let bars = Double(max(1, groups.count))
    let slots = Double(max(1, categories.count))
    // Half a bar stays free on either side of a category.
    var canvas = SVGCanvas(
      title: title, width: max(800, 100 + slots * (bars + 1) * Self.narrowestBar))
    let legendEnd = canvas.legend(groups.map(\.name)) { index, x, y in
      Self.rect("swatch", index, x: x + 6, y: y, width: 14, height: 12)
    }
    let axis = SVGAxis(0...max(1e-6, limit), intervals: 5, endsAtTicks: true)
    // The values of full bars stand between the legend and the frame.
    let frame = canvas.verticalAxis(
      axis, label: yLabel, top: legendEnd + 18, height: Self.plotHeight)
    let slot = frame.width / slots
    let barWidth = min(Self.widestBar, slot / (bars + 1))
    var labelLines = 1
    for (index, category) in categories.enumerated() {
      let middle = frame.left + (Double(index) + 0.5) * slot
      for (groupIndex, group) in groups.enumerated() {
        guard let value = group.values[index], value.isFinite else { continue }
        let left = middle + (Double(groupIndex) - bars / 2) * barWidth
        let height = min(1, max(0, axis.position(of: value))) * frame.height
        canvas.add(
          Self.rect(
            "bar", groupIndex, x: left + 1, y: frame.bottom - height, width: barWidth - 2,
            height: height))
        canvas.text(
          String(format: "%.1f", value), x: left + barWidth / 2, y: frame.bottom - height - 5,
          anchor: .middle, attributes: "font-size=\"11\"")
      }
      let lines = Self.wrapped(category, columns: Int(slot / SVGCanvas.characterWidth) - 1)
      labelLines = max(labelLines, lines.count)
      for (row, line) in lines.enumerated() {
        canvas.text(
          line, x: middle, y: frame.bottom + 18 + Double(row) * Self.lineHeight, anchor: .middle,
          hint: line == category ? nil : category)
      }
    }
    canvas.line(frame.left, frame.bottom, frame.right, frame.bottom, isGrid: false)
    if !groups.contains(where: { $0.values.contains { $0?.isFinite == true } }) {
      canvas.text(
        "no data", x: frame.left + frame.width / 2, y: frame.top + frame.height / 2,
        anchor: .middle)
    }
    return canvas.svg(height: frame.bottom + 13 + Double(labelLines) * Self.lineHeight)
  }

  /// Breaks a label between words; what exceeds its place is shortened.
  ///
  /// - Parameters:
  ///   - label: The label.
  ///   - columns: The width of its place in characters.
  /// - Returns: At most three lines.
  static func wrapped(_ label: String, columns: Int) -> [String] {
    var lines: [String] = []
    for word in label.split(separator: " ") {
      if let last = lines.last, last.columns + 1 + String(word).columns <= columns {
        lines[lines.count - 1] = "\(last) \(word)"
      } else {
        lines.append(String(word))
      }
    }
    if lines.count > labelLines {
      let rest = lines[(labelLines - 1)...].joined(separator: " ")
      lines.replaceSubrange((labelLines - 1)..., with: [rest])
    }
    return lines.map { $0.shortened(to: max(2, columns), mark: "\u{2026}") }
  }

  private static func rect(
    _ name: String, _ group: Int, x: Double, y: Double, width: Double, height: Double
  ) -> String {
    let place = SVGCanvas.attributes(["x": x, "y": y, "width": width, "height": height])
    return "<rect class=\"\(name)\" \(place) \(SVGCanvas.fill(group))/>"
  }
}
