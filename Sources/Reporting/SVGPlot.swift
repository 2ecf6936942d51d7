import Foundation

/// Lines over a common horizontal axis, such as losses over iterations, as SVG.
///
/// The drawing scales with its surroundings and takes their text colour. A series of more than
/// 400 points is thinned: it is cut into 400 runs of consecutive points, and each is drawn as one
/// point, the mean of its x and y. Files stay small and noise is smoothed, but a peak of a single
/// point appears lower than it is.
package struct SVGPlot: Sendable {
  /// One line.
  package struct Series: Sendable {
    /// What the legend calls it.
    package let name: String
    /// Its points, in the order in which they are joined.
    package let points: [(x: Double, y: Double)]

    package init(name: String, points: [(x: Double, y: Double)]) {
      self.name = name
      self.points = points
    }
  }

  private let title: String
  private let xLabel: String
  private let yLabel: String
  private let series: [Series]
  private let yRange: ClosedRange<Double>?
  private let xTicks: [Tick]?
  private let width: Double

  /// A place on the horizontal axis with a text of its own.
  package struct Tick: Sendable {
    let x: Double
    let label: String

    package init(x: Double, label: String) {
      self.x = x
      self.label = label
    }
  }

  /// The most points that one series is drawn with.
  static let pointLimit = 400
  private static let plotHeight = 260.0

  /// Creates a plot.
  ///
  /// - Parameters:
  ///   - title: What it shows; also its text for people who do not see it.
  ///   - xLabel: What the horizontal axis counts.
  ///   - yLabel: What the vertical axis counts.
  ///   - series: The lines.
  ///   - yRange: The ends of the vertical axis; nil takes those of the data.
  ///   - xTicks: The ticks of the horizontal axis, whose first and last are its ends; nil takes round
  ///     numbers.
  ///   - width: The width of the drawing, of which letters are a fixed share.
  package init(
    title: String, xLabel: String, yLabel: String, series: [Series],
    yRange: ClosedRange<Double>? = nil, xTicks: [Tick]? = nil, width: Double = 800
  ) {
    self.xTicks = xTicks
    self.width = width
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.series = series
    self.yRange = yRange
  }

  /// The plot.
  ///
  /// - Returns: One `svg` element, to stand in a page or alone.
  package func svg() -> String {
    let given = series.map { $0.points.filter(Self.isDrawable) }
    let lines = given.map { Self.thinned($0) }
    let points = lines.joined()
    var canvas = SVGCanvas(title: title, width: width)
    let legendEnd = canvas.legend(series.map(\.name)) { index, x, y in
      let ends = SVGCanvas.attributes(["x1": x, "y1": y + 6, "x2": x + 26, "y2": y + 6])
      return "<line \(ends) \(SVGCanvas.stroke(index))/>"
    }
    let yAxis = SVGAxis(
      yRange ?? Self.range(of: points.map(\.y)), intervals: 5, endsAtTicks: yRange == nil)
    // The ends of the given points: the means of the outermost runs lie a little inside.
    let xAxis = SVGAxis(
      Self.range(of: xTicks.map { $0.map(\.x) } ?? given.joined().map(\.x)),
      intervals: max(4, Int(width / 100)), endsAtTicks: false)
    let ticks = xTicks ?? zip(xAxis.ticks, xAxis.labels).map { Tick(x: $0, label: $1) }
    let frame = canvas.verticalAxis(
      yAxis, label: yLabel, top: legendEnd + 10, height: Self.plotHeight)
    for tick in ticks {
      let x = frame.left + xAxis.position(of: tick.x) * frame.width
      canvas.line(x, frame.top, x, frame.bottom, isGrid: true)
      canvas.text(tick.label, x: x, y: frame.bottom + 18, anchor: .middle)
    }
    canvas.line(frame.left, frame.bottom, frame.right, frame.bottom, isGrid: false)
    canvas.text(xLabel, x: frame.left + frame.width / 2, y: frame.bottom + 38, anchor: .middle)
    if points.isEmpty {
      canvas.text(
        "no data", x: frame.left + frame.width / 2, y: frame.top + frame.height / 2,
        anchor: .middle)
    }
    // A drawing inside the drawing cuts off what lies outside without an id, which two plots of
    // one page would share. Lines on the border keep their width.
    let clip = [frame.left - 4, frame.top - 4, frame.width + 8, frame.height + 8]
      .map(SVGCanvas.number)
    canvas.add(
      "<svg x=\"\(clip[0])\" y=\"\(clip[1])\" width=\"\(clip[2])\" height=\"\(clip[3])\""
        + " viewBox=\"\(clip.joined(separator: " "))\" overflow=\"hidden\">")
    for (index, line) in lines.enumerated() where !line.isEmpty {
      let places = line.map { point in
        (
          x: frame.left + xAxis.position(of: point.x) * frame.width,
          y: frame.bottom - Self.bounded(yAxis.position(of: point.y)) * frame.height
        )
      }
      canvas.add(Self.markup(of: places, series: index))
    }
    canvas.add("</svg>")
    return canvas.svg(height: frame.bottom + (xLabel.isEmpty ? 28 : 48))
  }

  /// Averages runs of consecutive points, whose lengths differ by one at most.
  ///
  /// - Parameters:
  ///   - points: The points.
  ///   - limit: The most points to return.
  /// - Returns: The means of the runs, or the points themselves when they are few.
  static func thinned(
    _ points: [(x: Double, y: Double)], to limit: Int = pointLimit
  ) -> [(x: Double, y: Double)] {
    guard points.count > limit else { return points }
    return (0..<limit).map { index in
      let run = points[index * points.count / limit..<(index + 1) * points.count / limit]
      let count = Double(run.count)
      return run.reduce((x: 0, y: 0)) { (x: $0.x + $1.x / count, y: $0.y + $1.y / count) }
    }
  }

  /// A line, or a dot where there is nothing to join.
  private static func markup(of places: [(x: Double, y: Double)], series: Int) -> String {
    if places.count == 1 {
      let circle = SVGCanvas.attributes(["cx": places[0].x, "cy": places[0].y, "r": 3.5])
      return "<circle \(circle) \(SVGCanvas.dot(series))/>"
    }
    let path =
      "M"
      + places.map { "\(SVGCanvas.number($0.x)) \(SVGCanvas.number($0.y))" }
      .joined(separator: "L")
    return "<path d=\"\(path)\" \(SVGCanvas.stroke(series))/>"
  }

  private static func isDrawable(_ point: (x: Double, y: Double)) -> Bool {
    abs(point.x) < SVGAxis.largest && abs(point.y) < SVGAxis.largest
  }

  private static func range(of values: [Double]) -> ClosedRange<Double> {
    guard let low = values.min(), let high = values.max() else { return 0...1 }
    return low...high
  }

  /// Keeps places far outside of a given range within what renderers can count.
  private static func bounded(_ position: Double) -> Double { min(100, max(-100, position)) }
}
