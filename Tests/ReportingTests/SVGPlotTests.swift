import Testing

@testable import Reporting

@Suite struct SVGPlotTests {
  private let awkward = #"<a> & "b" 'c'"#

  private func plot(
    _ series: [[(x: Double, y: Double)]], yRange: ClosedRange<Double>? = nil
  ) throws -> ParsedMarkup {
    try ParsedMarkup.parse(
      SVGPlot(
        title: "Loss", xLabel: "iteration", yLabel: "loss",
        series: series.enumerated().map { .init(name: "s\($0)", points: $1) }, yRange: yRange
      ).svg())
  }

  /// The texts of the axes, without title, legend and labels of the axes.
  private func ticks(_ root: ParsedMarkup, _ anchor: String) -> [String] {
    root.all("text").filter { $0.attributes["text-anchor"] == anchor }.map(\.text)
      .filter { !["iteration", "loss", "no data"].contains($0) }
  }

  /// What lies in the frame: the inner drawing.
  private func data(_ root: ParsedMarkup) throws -> ParsedMarkup {
    try #require(root.all("svg").first)
  }

  @Test func linesAreDrawnToScale() throws {
    let root = try plot([[(0, 0), (5, 10), (10, 5)], [(0, 10), (10, 0)]])
    let paths = try data(root).all("path")
    #expect(paths.count == 2 && root.all("path").count == 2)
    let first = paths[0].path
    #expect(first.count == 3)
    #expect(abs(first[1].x - (first[0].x + first[2].x) / 2) <= 0.1)
    #expect(abs(first[2].y - (first[0].y + first[1].y) / 2) <= 0.1)
    // 0 lies at the bottom, 260 units below 10.
    #expect(abs(first[0].y - first[1].y - 260) <= 0.1)
    #expect(ticks(root, "end") == ["0", "2", "4", "6", "8", "10"])
    #expect(ticks(root, "middle") == ["0", "2", "4", "6", "8", "10"])
    // Twelve ticks, one axis and two samples in the legend.
    #expect(root.all("line").count == 12 + 1 + 2)
  }

  @Test func textIsEscapedAndTold() throws {
    let text = SVGPlot(
      title: awkward, xLabel: awkward, yLabel: awkward,
      series: [.init(name: awkward, points: [(0, 1), (1, 2)])]
    ).svg()
    #expect(!text.contains(awkward))
    let root = try ParsedMarkup.parse(text)
    #expect(root.attributes["role"] == "img" && root.attributes["aria-label"] == awkward)
    #expect(root.attributes["viewBox"]?.hasPrefix("0 0 800 ") == true)
    #expect(root.children.first?.name == "title" && root.children.first?.text == awkward)
    #expect(root.all("text").filter { $0.text == awkward }.count == 4)
  }

  @Test func seriesDifferByColourAndDash() throws {
    let root = try plot((0..<12).map { [(0, Double($0)), (1, 1)] })
    let looks = try data(root).all("path").map {
      "\($0.attributes["style"] ?? "") \($0.attributes["stroke-dasharray"] ?? "solid")"
    }
    #expect(Set(looks).count == 12)
    #expect(looks[0] == "stroke:var(--series-1,#0b62a8) solid")
    let dashes = try data(root).all("path").prefix(5).map { $0.attributes["stroke-dasharray"] }
    #expect(Set(dashes).count == 5)
    // The legend shows the same.
    let samples = root.all("line").filter { $0.attributes["style"] != nil }.map {
      "\($0.attributes["style"] ?? "") \($0.attributes["stroke-dasharray"] ?? "solid")"
    }
    #expect(samples == looks)
  }

  @Test func aPlotWithoutPointsSaysSo() throws {
    for root in [try plot([]), try plot([[]]), try plot([[(.nan, 1), (1, .infinity)]])] {
      #expect(root.all("text").contains { $0.text == "no data" })
      #expect(root.all("path").isEmpty && root.all("circle").isEmpty)
    }
    #expect(try !plot([[(0, 0), (1, 1)]]).all("text").contains { $0.text == "no data" })
  }

  @Test func oneSinglePointIsADot() throws {
    let root = try plot([[(7, -3)]])
    #expect(root.all("path").isEmpty)
    let dot = try #require(try data(root).all("circle").first)
    #expect(dot.number("cx").isFinite && dot.number("cy").isFinite)
    #expect(ticks(root, "end").contains("\u{2212}3.0"))
  }

  @Test(arguments: [0.0, 5, -5, 1e-12, 1e20, -4e250])
  func equalValuesLieInTheMiddle(value: Double) throws {
    let root = try plot([[(1, value), (2, value), (3, value)]])
    let path = try #require(try data(root).all("path").first).path
    let lines = root.all("line").filter { $0.attributes["y1"] == $0.attributes["y2"] }
    let heights = lines.map { $0.number("y1") }.filter { $0 >= 60 }
    let low = try #require(heights.max())
    let high = try #require(heights.min())
    #expect(path.allSatisfy { $0.y == path[0].y && $0.y < low && $0.y > high })
    #expect(Set(ticks(root, "end")).count == ticks(root, "end").count)
  }

  @Test func negativeValuesHaveTicksBelowZero() throws {
    let root = try plot([[(0, -0.4), (10, 0.3)]])
    #expect(ticks(root, "end") == ["\u{2212}0.4", "\u{2212}0.2", "0.0", "0.2", "0.4"])
  }

  @Test func pointsThatAreNotFiniteAreSkipped() throws {
    let kept: [(x: Double, y: Double)] = [(0, 1), (1, 2), (4, 3)]
    let broken: [(x: Double, y: Double)] =
      kept.prefix(2) + [(2, .nan), (.infinity, 2), (3, -.infinity), (3, 1.5e308)] + kept.suffix(1)
    let paths = try [kept, broken].map { try data(try plot([$0])).all("path")[0].attributes["d"] }
    #expect(paths[0] != nil && paths[0] == paths[1])
  }

  @Test func aGivenRangeCutsOff() throws {
    let root = try plot([[(0, 0), (1, 50), (2, 1e9)]], yRange: 0...100)
    let clip = try data(root)
    #expect(clip.attributes["overflow"] == "hidden")
    #expect(ticks(root, "end") == ["0", "20", "40", "60", "80", "100"])
    let path = clip.all("path")[0].path
    #expect(path[0].y - path[1].y == 130)
    #expect(path[2].y < clip.number("y"))
    // An end that is no round value stays.
    let odd = try plot([[(0, 0), (1, 10)]], yRange: 0...10.7)
    #expect(ticks(odd, "end") == ["0", "5", "10"])
  }

  @Test func thinningKeepsTheMean() throws {
    let points = (0..<4000).map { (x: Double($0), y: Double($0 * 7919 % 1000) - 300) }
    let thinned = SVGPlot.thinned(points)
    #expect(thinned.count == 400)
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    #expect(abs(mean(thinned.map(\.x)) - mean(points.map(\.x))) < 1e-6)
    #expect(abs(mean(thinned.map(\.y)) - mean(points.map(\.y))) < 1e-6)
    #expect(abs(thinned[399].y - mean(points.suffix(10).map(\.y))) < 1e-9)
    let root = try plot([points])
    #expect(try data(root).all("path")[0].path.count == 400)
    // The axis is that of the points before.
    #expect(ticks(root, "middle").first == "0")
  }

  @Test func runsOfUnequalLengthUseEveryPointOnce() {
    for count in [401, 799, 1001] {
      let points = (0..<count).map { (x: Double($0), y: 1.0) }
      let thinned = SVGPlot.thinned(points)
      #expect(thinned.count == 400 && thinned.allSatisfy { abs($0.y - 1) < 1e-12 })
      #expect(zip(thinned, thinned.dropFirst()).allSatisfy { (0.9...3).contains($1.x - $0.x) })
    }
    let few = (0..<400).map { (x: Double($0), y: 0.0) }
    #expect(SVGPlot.thinned(few).map(\.x) == few.map(\.x))
  }

  @Test func ticksAreRoundAndLabelsShort() {
    func labels(_ range: ClosedRange<Double>, endsAtTicks: Bool = true) -> [String] {
      SVGAxis(range, intervals: 5, endsAtTicks: endsAtTicks).labels
    }
    #expect(labels(0.03...0.97) == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"])
    #expect(labels(3...90_000) == ["0", "20000", "40000", "60000", "80000", "100000"])
    #expect(labels(0...0.0005) == ["0.0000", "0.0001", "0.0002", "0.0003", "0.0004", "0.0005"])
    #expect(labels(0...0.0002).prefix(2) == ["0.00000", "0.00005"])
    #expect(labels(0...2e-5) == ["0", "5e-06", "1e-05", "1.5e-05", "2e-05"])
    #expect(labels(0...4e6) == ["0", "1e+06", "2e+06", "3e+06", "4e+06"])
    #expect(labels(120...870, endsAtTicks: false) == ["200", "400", "600", "800"])
  }

  @Test(arguments: [
    0...Double.infinity, -Double.infinity...0, 1e299...9e299, 0...Double.leastNonzeroMagnitude,
  ])
  func extremeRangesHaveFewFiniteTicks(range: ClosedRange<Double>) {
    for endsAtTicks in [true, false] {
      let axis = SVGAxis(range, intervals: 5, endsAtTicks: endsAtTicks)
      #expect((2...12).contains(axis.ticks.count) && axis.low < axis.high)
      #expect((axis.ticks + [axis.low, axis.high]).allSatisfy { $0.isFinite })
    }
  }
}
