import Foundation
import Testing

@testable import Reporting

@Suite struct HTMLReportTests {
  private let awkward = #"<a> & "b" 'c'"#

  /// A report that uses everything, with awkward text everywhere.
  private func everything() -> HTMLReport {
    var report = HTMLReport(title: awkward, subtitle: awkward)
    report.heading(awkward)
    report.paragraph(awkward)
    report.list([awkward, "second"])
    report.table(
      columns: [.text(awkward), .number("AP50")], rows: [[awkward, "1.0"], ["short"]],
      caption: awkward)
    report.preformatted("\n  \(awkward)\n\tend")
    report.figure(
      svg: SVGPlot(
        title: awkward, xLabel: "x", yLabel: "y", series: [.init(name: "a", points: [(0, 1)])]
      ).svg(), caption: awkward)
    report.gallery([(png: Data([1, 2]), alt: awkward, caption: awkward)], columnsPerRow: 3)
    report.details(summary: awkward) { $0.paragraph(awkward) }
    report.tiles([(label: awkward, value: awkward, note: awkward)])
    return report
  }

  @Test func theFileIsCompleteAndWellFormed() throws {
    let text = everything().html()
    #expect(text.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">\n"))
    let root = try ParsedMarkup.parse(text)
    #expect(root.name == "html" && root.children.map(\.name) == ["head", "body"])
    let metas = root.all("meta").map(\.attributes)
    #expect(metas.contains { $0["charset"] == "utf-8" })
    #expect(metas.contains { $0["name"] == "viewport" })
    #expect(root.children[0].all("title").map(\.text) == [awkward])
    let style = try #require(root.all("style").first).text
    #expect(style.contains("prefers-color-scheme: dark") && style.contains("@media print"))
    for index in 1...SVGCanvas.palette.count {
      #expect(style.components(separatedBy: "--series-\(index): #").count == 3)
    }
  }

  @Test func allTextIsEscapedAndComesBack() throws {
    let text = everything().html()
    #expect(!text.contains(awkward) && !text.contains("<a>"))
    let body = try ParsedMarkup.parse(text).children[1]
    for name in ["h1", "h2", "li", "caption", "th", "td", "figcaption", "summary"] {
      #expect(body.all(name).first?.text == awkward, "\(name)")
    }
    // The subtitle, a paragraph, and one inside the collapsible part.
    #expect(body.all("p").map(\.text) == [awkward, awkward, awkward])
    #expect(body.all("code").map(\.text) == ["\n  \(awkward)\n\tend"])
    #expect(body.all("figcaption").map(\.text) == [awkward, awkward])
    #expect(body.all("img").first?.attributes["alt"] == awkward)
  }

  @Test func charactersThatXMLForbidsAreReplaced() throws {
    var report = HTMLReport(title: "t")
    report.preformatted("a\r\nb\rc\u{1B}[31m\u{0}\u{85}\u{FFFF}杯 😀\t")
    let code = try ParsedMarkup.parse(report.html()).all("code")
    #expect(code.map(\.text) == ["a\nb\nc\u{FFFD}[31m\u{FFFD}\u{FFFD}\u{FFFD}杯 😀\t"])
  }

  @Test func numbersAreAlignedRight() throws {
    var report = HTMLReport(title: "t")
    report.table(columns: [.text("class"), .number("AP")], rows: [["cup", "50.00"], ["fork"]])
    let root = try ParsedMarkup.parse(report.html())
    #expect(root.all("th", class: "number").map(\.text) == ["AP"])
    #expect(root.all("td", class: "number").map(\.text) == ["50.00", ""])
    #expect(root.all("tr").map { $0.children.count } == [2, 2, 2])
    #expect(root.all("div", class: "scroll").count == 1 && root.all("caption").isEmpty)
  }

  @Test func picturesAreInTheFile() throws {
    let bytes = Data((0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 37) })
    var report = HTMLReport(title: "t")
    report.gallery(
      [(png: bytes, alt: "one", caption: "first"), (png: Data([9]), alt: "two", caption: "")],
      columnsPerRow: 2)
    report.gallery([], columnsPerRow: 5)
    let root = try ParsedMarkup.parse(report.html())
    #expect(root.all("div", class: "gallery").map { $0.attributes["style"] } == ["--columns:2"])
    let decoded = try root.all("img").map { image in
      let source = try #require(image.attributes["src"])
      let prefix = "data:image/png;base64,"
      #expect(source.hasPrefix(prefix))
      return Data(base64Encoded: String(source.dropFirst(prefix.count)))
    }
    #expect(decoded == [bytes, Data([9])])
    #expect(root.all("figcaption").map(\.text) == ["first"])
  }

  @Test func nothingOutsideOfTheFileIsNamed() throws {
    let text = everything().html()
    let namespace = "http://www.w3.org/2000/svg"
    #expect(text.contains("xmlns=\"\(namespace)\""))
    let rest = text.replacingOccurrences(of: namespace, with: "")
    for word in ["http:", "https:", "url(", "@import", "<script", "<link", " href", "srcset"] {
      #expect(!rest.contains(word), "\(word)")
    }
    let root = try ParsedMarkup.parse(text)
    #expect(root.all("img").allSatisfy { $0.attributes["src"]?.hasPrefix("data:") == true })
    let policy = root.all("meta").first { $0.attributes["http-equiv"] != nil }
    #expect(policy?.attributes["content"]?.hasPrefix("default-src 'none'") == true)
  }

  @Test func detailsNest() throws {
    var report = HTMLReport(title: "t")
    report.details(summary: "outer", isOpen: true) {
      $0.heading("inside")
      $0.details(summary: "inner") { $0.heading("deep") }
    }
    report.heading("after")
    let main = try #require(try ParsedMarkup.parse(report.html()).all("main").first)
    #expect(main.children.map(\.name) == ["details", "h2"])
    let outer = main.children[0]
    #expect(outer.children.map(\.name) == ["summary", "h3", "details"])
    #expect(outer.attributes["open"] != nil && outer.children[2].attributes["open"] == nil)
    #expect(outer.children[2].children.map(\.name) == ["summary", "h4"])
  }

  @Test func detailsThatFailAddNothing() throws {
    struct Failure: Error {}
    var report = HTMLReport(title: "t")
    #expect(throws: Failure.self) {
      try report.details(summary: "s") {
        $0.paragraph("half")
        throw Failure()
      }
    }
    let main = try #require(try ParsedMarkup.parse(report.html()).all("main").first)
    #expect(main.children.isEmpty)
  }

  @Test func anEmptyReportIsWellFormed() throws {
    var report = HTMLReport(title: "")
    report.list([])
    report.table(columns: [], rows: [])
    let root = try ParsedMarkup.parse(report.html())
    #expect(root.all("ul").isEmpty && root.all("header").first?.all("p").isEmpty == true)
  }
}
