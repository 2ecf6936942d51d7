import Foundation
import Geometry
import Testing

@testable import Reporting

@Suite struct SVGPhotoTests {
  private func photo(_ items: [SVGPhoto.Item], width: Int = 960, height: Int = 360) throws
    -> ParsedMarkup
  {
    try ParsedMarkup.parse(
      SVGPhoto(
        image: Data([1, 2, 3]), isPNG: false, width: width, height: height,
        description: "<a> & b", items: items
      ).svg())
  }

  private func box(_ x: Float, _ y: Float) -> Box { Box(x1: x, y1: y, x2: x + 100, y2: y + 100) }

  @Test func boxesLieOnThePhotograph() throws {
    let root = try photo([.init(.right, box: box(200, 100), tag: "cup 0.9")])
    let image = try #require(root.all("image").first)
    // Half as large, in the middle of the frame of 480 x 360.
    #expect((image.number("x"), image.number("y")) == (0, 90))
    #expect((image.number("width"), image.number("height")) == (480, 180))
    #expect(image.attributes["href"] == "data:image/jpeg;base64,AQID")
    let rect = try #require(root.all("rect", class: "right").first)
    #expect((rect.number("x"), rect.number("y")) == (100, 140))
    #expect((rect.number("width"), rect.number("height")) == (50, 50))
    #expect(root.attributes["aria-label"] == "<a> & b")
  }

  @Test func rightAndWrongDifferByColourAndLine() throws {
    let root = try photo(
      SVGPhoto.Mark.allCases.map { .init($0, box: box(200, 100), tag: $0.rawValue) })
    let lines = SVGPhoto.Mark.allCases.compactMap { root.all("rect", class: $0.rawValue).first }
    #expect(lines.count == 3)
    #expect(Set(lines.map { $0.attributes["stroke"] }).count == 3)
    #expect(Set(lines.map { $0.attributes["stroke-dasharray"] }).count == 3)
    let legend = try ParsedMarkup.parse(SVGPhoto.legend([.right: "right", .missed: "<missed>"]))
    #expect(legend.all("text").map(\.text) == ["right", "<missed>"])
  }

  @Test func tagsStayInsideAndApart() throws {
    let corners: [(Float, Float)] = [(0, 0), (860, 0), (0, 260), (860, 260), (400, 100)]
    for corner in corners {
      let root = try photo(
        (0..<6).map { .init(.wrong, box: box(corner.0, corner.1), tag: "label number \($0)") },
        width: 960, height: 720)
      let tags = root.all("rect", class: "tag").map { tag in
        FileBox(
          x: tag.number("x"), y: tag.number("y"), width: tag.number("width"),
          height: tag.number("height"))
      }
      // Where there is no room near its box, a tag shows on demand.
      #expect((3...6).contains(tags.count))
      #expect(root.all("g").flatMap { $0.all("title") }.map(\.text).sorted().count == 6)
      for (index, tag) in tags.enumerated() {
        #expect(tag.x1 >= 0 && tag.y1 >= 0 && tag.x2 <= 480 && tag.y2 <= 360)
        #expect(tags[..<index].allSatisfy { $0.overlap(with: tag) <= 0.05 * tag.area })
      }
    }
  }

  @Test func boxesOutsideAreNoTrap() throws {
    let wild = Box(x1: -1e9, y1: -5, x2: 1e9, y2: .infinity)
    let root = try photo([.init(.missed, box: wild, tag: String(repeating: "long ", count: 60))])
    #expect(root.all("rect", class: "missed").count == 1)
  }
}
