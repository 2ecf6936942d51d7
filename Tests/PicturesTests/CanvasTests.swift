import Annotations
import Foundation
import Geometry
import TestSupport
import Testing

@testable import Pictures

@Suite struct CanvasTests {
  private static let white = Color(255, 255, 255)

  private static func count(_ image: Image, _ matches: (Color) -> Bool) -> Int {
    (0..<image.height).reduce(0) { total, y in
      total + (0..<image.width).count { matches(image[$0, y]) }
    }
  }

  @Test func fillsMixAtFractionalEdges() {
    var canvas = Canvas(Image(width: 4, height: 3))
    canvas.fill(Box(x1: 1, y1: 1, x2: 2.5, y2: 2), color: Self.white)
    #expect(canvas.image[1, 1] == Self.white)
    #expect(canvas.image[2, 1] == Color(128, 128, 128))
    #expect(Self.count(canvas.image) { $0 != Color(0, 0, 0) } == 2)
  }

  @Test func outlineIsCrispAndOnTheEdge() {
    var canvas = Canvas(Image(width: 10, height: 10))
    canvas.outline(Box(x1: 2, y1: 2, x2: 8, y2: 8), color: Self.white, thickness: 1)
    #expect(Self.count(canvas.image) { $0 == Self.white } == 20)
    #expect(canvas.image[2, 2] == Self.white && canvas.image[7, 7] == Self.white)
    #expect(canvas.image[3, 3] == Color(0, 0, 0))
  }

  @Test func nothingTrapsOutsideThePicture() {
    var canvas = Canvas(Image(width: 5, height: 5))
    for value in [-1e9, -3, 2, 1e9, .infinity] as [Float] {
      canvas.outline(
        Box(x1: -value, y1: value, x2: value, y2: 3), color: Self.white, thickness: 2)
      canvas.fill(Box(x1: value, y1: -9, x2: 1e8, y2: 99), color: Self.white)
    }
    canvas.write("outside", x: -100, y: 1e7, capitalHeight: 10, color: Self.white)
    canvas.draw([
      LabeledBox(
        box: Box(x1: -9, y1: -9, x2: 40, y2: 40), label: "a very long label", score: 0.5),
      LabeledBox(box: Box(x1: 9, y1: 9, x2: 8, y2: 8), label: "", score: .nan),
    ])
    #expect(canvas.image.width == 5)
  }

  @Test func allPrintableCharactersAreDrawnAndDiffer() {
    var pictures: [[UInt8]: Character] = [:]
    for code in 33...126 {
      guard let scalar = UnicodeScalar(code) else { continue }
      var canvas = Canvas(Image(width: 24, height: 32))
      canvas.write(
        String(Character(scalar)), x: 4, y: 4, capitalHeight: 16, color: Self.white)
      #expect(Self.count(canvas.image) { $0 != Color(0, 0, 0) } > 3, "character \(scalar)")
      let twin = pictures.updateValue(Character(scalar), forKey: canvas.image.bytes)
      #expect(twin == nil, "\(scalar) looks like \(twin ?? " ")")
    }
  }

  @Test func otherCharactersShowAsQuestionMarks() {
    func picture(_ text: String) -> Image {
      var canvas = Canvas(Image(width: 60, height: 20))
      canvas.write(text, x: 2, y: 2, capitalHeight: 12, color: Self.white)
      return canvas.image
    }
    #expect(picture("é\u{1F600}\n") == picture("???"))
    #expect(picture("a") != picture("?"))
  }

  @Test func captionHasTwoDecimals() {
    let box = Box(x1: 0, y1: 0, x2: 1, y2: 1)
    #expect(LabeledBox(box: box, label: "cat", score: 0.047).caption == "cat 0.05")
    #expect(LabeledBox(box: box, label: "cat", score: 1).caption == "cat 1.00")
    #expect(LabeledBox(box: box, label: "cat").caption == "cat")
  }

  @Test func coloursFollowTheLabel() {
    #expect(LabelColor.color(of: "cat") == LabelColor.color(of: "cat"))
    let colors = Set(OpenVocabularySplit.openVocabularyCOCO.base.map { LabelColor.color(of: $0) })
    #expect(colors.count == 48)
    #expect(LabelColor.text(on: Color(255, 255, 0)) == Color(0, 0, 0))
    #expect(LabelColor.text(on: Color(0, 0, 90)) == Self.white)
  }
}

@Suite struct LabelLayoutTests {
  @Test(arguments: [(320, 240), (810, 1080), (1400, 788)])
  func tagsOfOneCornerStandApartInside(width: Int, height: Int) {
    let layout = LabelLayout(width: width, height: height)
    for corner in [(0, 0), (width / 2, height / 2), (width - 20, height - 20)] {
      let boxes = (0..<6).map { number in
        LabeledBox(
          box: Box(
            x1: Float(corner.0 + number), y1: Float(corner.1 + number), x2: Float(corner.0 + 20),
            y2: Float(corner.1 + 20)), label: "label \(number)", score: 0.5)
      }
      let places = layout.places(for: boxes)
      #expect(places.count == 6)
      for (number, place) in places.enumerated() {
        #expect(place.x1 >= 0 && place.y1 >= 0)
        #expect(place.x2 <= Float(width) && place.y2 <= Float(height))
        #expect(places[..<number].allSatisfy { $0.overlap(with: place) == 0 })
      }
    }
  }
}

@Suite(.enabled(if: SharedData.has("images"), "needs the folder images"))
struct DrawnPhotographTests {
  @Test func photographKeepsItsSizeAndGainsBoxes() throws {
    let photograph = try ImageDecoder.decode(path: "\(SharedData.root)/images/bus.jpg")
    var canvas = Canvas(photograph)
    canvas.draw([
      LabeledBox(box: Box(x1: 20, y1: 230, x2: 800, y2: 745), label: "bus", score: 0.97),
      LabeledBox(box: Box(x1: 50, y1: 400, x2: 245, y2: 905), label: "person", score: 0.9),
      LabeledBox(
        box: Box(x1: 221, y1: 405, x2: 345, y2: 860), label: "person jogging, Qq&%",
        score: 0.84),
      LabeledBox(box: Box(x1: 669, y1: 392, x2: 810, y2: 878), label: "person", score: 0.8),
      LabeledBox(box: Box(x1: 672, y1: 395, x2: 809, y2: 876), label: "jacket", score: 0.4),
      LabeledBox(box: Box(x1: 0, y1: 550, x2: 63, y2: 873), label: "person", score: 0.3),
    ])
    #expect(canvas.image.width == photograph.width && canvas.image.height == photograph.height)
    #expect(canvas.image != photograph)
    // A picture to look at, where a person asks for it.
    if let folder = ProcessInfo.processInfo.environment["BARON_PICTURES"] {
      try canvas.image.writePNG("\(folder)/boxes.png")
    }
  }
}
