import Testing

@testable import Reporting

@Suite struct SVGBarsTests {
  private let awkward = #"<a> & "b" 'c'"#

  private func chart(_ categories: [String], _ groups: [[Double?]]) throws -> ParsedMarkup {
    try ParsedMarkup.parse(
      SVGBars(
        title: "Variants", yLabel: "AP50", categories: categories,
        groups: groups.enumerated().map { .init(name: "g\($0)", values: $1) }
      ).svg())
  }

  @Test func barsAreDrawnToScaleWithTheirValues() throws {
    let root = try chart(["one", "two"], [[50, 100], [25.04, nil]])
    let bars = root.all("rect", class: "bar")
    #expect(bars.map { $0.number("height") } == [120, 60.1, 240])
    #expect(Set(bars.map { $0.number("y") + $0.number("height") }.map { $0.rounded() }).count == 1)
    let texts = root.all("text").map(\.text)
    #expect(texts.contains("50.0") && texts.contains("25.0") && texts.contains("100.0"))
    // The value stands above the middle of its bar.
    let label = try #require(root.all("text").first { $0.text == "50.0" })
    #expect(label.number("y") < bars[0].number("y"))
    let middle = bars[0].number("x") + bars[0].number("width") / 2
    #expect(abs(label.number("x") - middle) <= 0.1)
    #expect(root.all("rect", class: "swatch").count == 2)
    #expect(root.all("rect").count == 5)
  }

  @Test func barsDoNotOverlapAndStayInside() throws {
    for (categories, groups) in [(1, 1), (3, 2), (12, 5)] {
      let root = try chart(
        (0..<categories).map { "category \($0)" },
        Array(repeating: Array(repeating: 40, count: categories), count: groups))
      let bars = root.all("rect", class: "bar").sorted { $0.number("x") < $1.number("x") }
      #expect(bars.count == categories * groups)
      #expect(
        zip(bars, bars.dropFirst()).allSatisfy {
          $0.number("x") + $0.number("width") < $1.number("x")
        })
      let last = try #require(bars.last)
      #expect(last.number("x") + last.number("width") < root.number("width"))
      #expect(last.number("width") >= 28)
    }
  }

  @Test func groupsDifferByColourAndStrength() throws {
    let root = try chart(["one"], Array(repeating: [50], count: 12))
    let looks = root.all("rect", class: "bar").map {
      "\($0.attributes["style"] ?? "") \($0.attributes["fill-opacity"] ?? "")"
    }
    #expect(looks.count == 12 && Set(looks).count == 12)
    #expect(looks[1] == "fill:var(--series-2,#b8420d);stroke:var(--series-2,#b8420d) 0.3")
  }

  @Test func valuesOutsideOfTheScaleKeepTheirText() throws {
    let root = try chart(["one"], [[130], [-5], [.nan], [.infinity], [0]])
    #expect(root.all("rect", class: "bar").map { $0.number("height") } == [240, 0, 0])
    let texts = root.all("text").map(\.text)
    #expect(texts.contains("130.0") && texts.contains("-5.0") && texts.contains("0.0"))
  }

  @Test func aChartWithoutBarsSaysSo() throws {
    for root in [try chart([], []), try chart(["one"], [[nil]]), try chart(["one"], [])] {
      #expect(root.all("rect", class: "bar").isEmpty)
      #expect(root.all("text").contains { $0.text == "no data" })
    }
    #expect(try !chart(["one"], [[0]]).all("text").contains { $0.text == "no data" })
  }

  @Test func textIsEscapedAndTold() throws {
    let text = SVGBars(
      title: awkward, yLabel: awkward, categories: [awkward],
      groups: [.init(name: awkward, values: [1])]
    ).svg()
    #expect(!text.contains(awkward))
    let root = try ParsedMarkup.parse(text)
    #expect(root.attributes["role"] == "img" && root.attributes["aria-label"] == awkward)
    #expect(root.children.first?.name == "title" && root.children.first?.text == awkward)
    #expect(root.all("text").filter { $0.text == awkward }.count == 4)
  }

  @Test func longLabelsAreWrapped() throws {
    #expect(SVGBars.wrapped("without image teacher", columns: 14) == ["without image", "teacher"])
    #expect(
      SVGBars.wrapped("one two three four five", columns: 6) == ["one", "two", "three\u{2026}"])
    #expect(SVGBars.wrapped("unbreakable", columns: 6) == ["unbre\u{2026}"])
    #expect(SVGBars.wrapped("", columns: 6) == [])
    let name = "a variant that trains without the caption loss"
    let root = try chart(Array(repeating: name, count: 8), [Array(repeating: 10, count: 8)])
    #expect(root.all("title").filter { $0.text == name }.count >= 8)
  }
}
