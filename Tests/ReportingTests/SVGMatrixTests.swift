import Testing

@testable import Reporting

@Suite struct SVGMatrixTests {
  @Test func countsStandInTheirCells() throws {
    let root = try ParsedMarkup.parse(
      SVGMatrix(
        title: "t", rows: ["cup", "<fork>", "(nothing)"], columns: ["cup", "<fork>", "(missed)"],
        rowTitle: "is", columnTitle: "says", counts: [[3, 1, 0], [0, 20_000, 0], [0, 0, 0]]
      ).svg())
    let cells = root.all("rect", class: "cell")
    #expect(cells.count == 9)
    let counts = root.all("text").filter { $0.children.contains { $0.name == "title" } }
    #expect(counts.map(\.ownText) == ["3", "1", "20k"])
    // The diagonal has another colour, and the shade is the share of the row.
    #expect(cells[0].attributes["style"]?.contains("--right") == true)
    #expect(cells[1].attributes["style"]?.contains("--wrong") == true)
    #expect(cells[0].attributes["style"]?.hasSuffix("fill-opacity:0.48") == true)
    #expect(cells[4].attributes["style"]?.hasSuffix("fill-opacity:0.55") == true)
    #expect(cells[8].attributes["style"]?.hasSuffix("fill-opacity:0.00") == true)
    // Texts stand in the middle of their cells, and the drawing holds all of them.
    #expect(counts[1].number("x") == cells[1].number("x") + cells[1].number("width") / 2)
    for cell in cells {
      #expect(cell.number("x") + cell.number("width") < root.number("width"))
      #expect(cell.number("y") + cell.number("height") < root.number("height"))
    }
  }

  @Test func longNamesAreShortenedAndKept() throws {
    let name = "a very long name of a class"
    let root = try ParsedMarkup.parse(
      SVGMatrix(
        title: "t", rows: [name], columns: [name], rowTitle: "", columnTitle: "", counts: [[1]]
      ).svg())
    let shortened = root.all("text").filter { $0.ownText == "a very long name \u{2026}" }
    #expect(shortened.count == 2)
    #expect(shortened.allSatisfy { $0.all("title").map(\.text) == [name] })
  }
}
