import Foundation

/// What the charts share: escaped text, short numbers, colours, the legend and the grid.
///
/// Text and lines take the colour of the surrounding text; series take `--series-1` and so on,
/// which a page may set, and else a colour that is readable on white.
struct SVGCanvas {
  /// The area of the data, in the units of the drawing.
  struct Frame {
    let left: Double
    let top: Double
    let width: Double
    let height: Double

    var right: Double { left + width }
    var bottom: Double { top + height }
  }

  /// The part of a text that lies at its point.
  enum Anchor: String {
    case start
    case middle
    case end
  }

  /// The colours of series, each for a light and a dark page, with contrast of at least 4.5 to 1.
  static let palette: [(light: String, dark: String)] = [
    ("#0b62a8", "#6cb4ff"), ("#b8420d", "#ff9c66"), ("#22763a", "#6fd08c"),
    ("#8438a8", "#d3a0f5"), ("#7a5c00", "#e2c14f"), ("#b02a69", "#ff8fc0"),
  ]
  /// The dash patterns, whose number shares no factor with that of the colours: pairs repeat late.
  private static let dashes = ["", "8 4", "2 3", "10 3 2 3", "14 4"]
  /// The same for areas: how much of the colour fills them.
  private static let opacities = ["0.9", "0.3", "0.65", "0.15", "0.45"]
  /// The mean width of a character, of a system font of 12 units.
  static let characterWidth = 6.6
  private static let margin = 4.0
  private static let legendRow = 20.0

  let width: Double
  private let title: String
  private var elements: [String] = []

  /// Creates a canvas that shows the title.
  ///
  /// - Parameters:
  ///   - title: What the chart shows.
  ///   - width: Its width; the height follows from what is drawn.
  init(title: String, width: Double = 800) {
    self.title = title
    self.width = width
    let columns = Int((width - 2 * Self.margin) / (1.3 * Self.characterWidth))
    text(
      title.shortened(to: columns, mark: "\u{2026}"), x: Self.margin, y: 24,
      attributes: "font-size=\"15\" font-weight=\"600\"")
  }

  /// The style of a line of a series.
  ///
  /// - Parameter series: Its index.
  /// - Returns: Attributes.
  static func stroke(_ series: Int) -> String {
    let dash = dashes[series % dashes.count]
    return "fill=\"none\" stroke-width=\"2\" stroke-linejoin=\"round\""
      + (dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\"")
      + " style=\"stroke:\(color(series))\""
  }

  /// The style of a dot of a series.
  ///
  /// - Parameter series: Its index.
  /// - Returns: Attributes.
  static func dot(_ series: Int) -> String { "style=\"fill:\(color(series))\"" }

  /// The style of an area of a series.
  ///
  /// - Parameter series: Its index.
  /// - Returns: Attributes.
  static func fill(_ series: Int) -> String {
    "fill-opacity=\"\(opacities[series % opacities.count])\""
      + " style=\"fill:\(color(series));stroke:\(color(series))\""
  }

  private static func color(_ series: Int) -> String {
    let index = series % palette.count
    return "var(--series-\(index + 1),\(palette[index].light))"
  }

  /// A coordinate with at most one decimal.
  ///
  /// - Parameter value: The coordinate.
  /// - Returns: Its text.
  static func number(_ value: Double) -> String {
    let tenths = (value * 10).rounded()
    // Adding zero turns the negative zero into the other one.
    return String(format: tenths.remainder(dividingBy: 10) == 0 ? "%.0f" : "%.1f", tenths / 10 + 0)
  }

  /// Attributes that are coordinates or lengths.
  ///
  /// - Parameter values: Names and values.
  /// - Returns: The attributes, separated by spaces.
  static func attributes(_ values: KeyValuePairs<String, Double>) -> String {
    values.map { "\($0)=\"\(number($1))\"" }.joined(separator: " ")
  }

  /// Adds an element whose attribute values are safe.
  ///
  /// - Parameter markup: The element.
  mutating func add(_ markup: String) { elements.append(markup) }

  /// Adds a text.
  ///
  /// - Parameters:
  ///   - text: The text; escaped here.
  ///   - x: Where its anchor lies.
  ///   - y: Where its base line lies.
  ///   - anchor: Which part lies there.
  ///   - attributes: Further attributes.
  ///   - hint: A longer text to show on demand.
  mutating func text(
    _ text: String, x: Double, y: Double, anchor: Anchor = .start, attributes: String = "",
    hint: String? = nil
  ) {
    add(
      "<text \(Self.attributes(["x": x, "y": y])) text-anchor=\"\(anchor.rawValue)\""
        + (attributes.isEmpty ? "" : " ") + attributes + ">" + Markup.escaped(text)
        + (hint.map { "<title>\(Markup.escaped($0))</title>" } ?? "") + "</text>")
  }

  /// Adds the names of the series below the title, in as many rows as they need.
  ///
  /// - Parameters:
  ///   - names: One per series.
  ///   - mark: Draws the sample of a series into a box of 26 × 12 units at a point.
  /// - Returns: Where the legend ends.
  mutating func legend(_ names: [String], mark: (Int, Double, Double) -> String) -> Double {
    var x = Self.margin
    var y = 46.0
    let columns = Int((width - 2 * Self.margin - 34) / Self.characterWidth)
    for (index, name) in names.map({ $0.shortened(to: columns, mark: "\u{2026}") }).enumerated() {
      let needed = 34 + Double(name.columns) * Self.characterWidth + 18
      if x > Self.margin && x + needed > width {
        x = Self.margin
        y += Self.legendRow
      }
      add(mark(index, x, y - 10))
      text(name, x: x + 34, y: y)
      x += needed
    }
    return names.isEmpty ? 32 : y + 6
  }

  /// Adds grid lines, ticks and the label of the vertical axis.
  ///
  /// - Parameters:
  ///   - axis: The axis.
  ///   - label: What it counts.
  ///   - top: Where the frame begins.
  ///   - height: The height of the frame.
  /// - Returns: The frame of the data, right of the labels.
  mutating func verticalAxis(
    _ axis: SVGAxis, label: String, top: Double, height: Double
  ) -> Frame {
    let columns = axis.labels.map(\.columns).max() ?? 0
    let left = Self.margin + (label.isEmpty ? 0 : 22) + Double(columns) * 7.2 + 8
    let frame = Frame(left: left, top: top, width: width - left - 24, height: height)
    for (tick, text) in zip(axis.ticks, axis.labels) {
      let y = frame.bottom - axis.position(of: tick) * height
      line(frame.left, y, frame.right, y, isGrid: true)
      self.text(text, x: left - 8, y: y + 4, anchor: .end)
    }
    let middle = (Self.number(Self.margin + 8), Self.number(top + height / 2))
    if !label.isEmpty {
      text(
        label, x: Self.margin + 8, y: top + height / 2, anchor: .middle,
        attributes: "transform=\"rotate(-90 \(middle.0) \(middle.1))\"")
    }
    return frame
  }

  /// Adds a straight line of the colour of the text.
  ///
  /// - Parameters:
  ///   - x1: Where it begins.
  ///   - y1: Where it begins.
  ///   - x2: Where it ends.
  ///   - y2: Where it ends.
  ///   - isGrid: Whether it stands back.
  mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, isGrid: Bool) {
    add(
      "<line \(Self.attributes(["x1": x1, "y1": y1, "x2": x2, "y2": y2]))"
        + " stroke=\"currentColor\" stroke-opacity=\"\(isGrid ? "0.15" : "0.6")\"/>")
  }

  /// The drawing.
  ///
  /// - Parameter height: Its height.
  /// - Returns: One `svg` element.
  func svg(height: Double) -> String {
    let size = (Self.number(width), Self.number(height))
    // Smaller than this, text of 12 units is hard to read; the page scrolls instead.
    let narrowest = Self.number(0.7 * width)
    let label = Markup.escaped(title)
    return """
      <svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="\(label)" \
      width="\(size.0)" height="\(size.1)" viewBox="0 0 \(size.0) \(size.1)" \
      style="min-width:\(narrowest)px;max-width:100%;height:auto" font-family="system-ui,sans-serif" font-size="12" \
      fill="currentColor">
      <title>\(label)</title>
      \(elements.joined(separator: "\n"))
      </svg>
      """
  }
}
