import Foundation
import Geometry
import Masks
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
    var colors = LabelPalette()
    canvas.draw(
      [
        LabeledBox(
          box: Box(x1: -9, y1: -9, x2: 40, y2: 40), label: "a very long label", score: 0.5),
        LabeledBox(box: Box(x1: 9, y1: 9, x2: 8, y2: 8), label: "", score: .nan),
        LabeledBox(box: Box(x1: 9, y1: 9, x2: 8, y2: 8), label: "\u{732B}", score: .nan),
      ], colors: &colors)
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

  /// The substitute where no font exists.
  @Test func withoutAFontOtherLettersShowAsQuestionMarks() {
    let none = SystemFont(folders: ["/nowhere"])
    func picture(_ text: String) -> Image {
      var canvas = Canvas(Image(width: 60, height: 20))
      canvas.write(text, x: 2, y: 2, capitalHeight: 12, color: Self.white, font: none)
      return canvas.image
    }
    #expect(picture("e\u{301}\u{1F600}\u{200D}\n") == picture("???"))
    #expect(picture("a") != picture("?"))
    #expect(none.unable(toWrite: ["cat", "\u{732B}", "\u{C4}rmel"]) == ["\u{732B}", "\u{C4}rmel"])
  }

  @Test func damagedFontsAreNoFonts() throws {
    let scratch = try Scratch()
    _ = try scratch.write("no font", "broken.ttf")
    let font = SystemFont(folders: [scratch.folder])
    #expect(font.unable(toWrite: ["\u{C4}"]) == ["\u{C4}"])
  }

  @Test func captionHasTheScore() {
    let box = Box(x1: 0, y1: 0, x2: 1, y2: 1)
    #expect(LabeledBox(box: box, label: "cat", score: 0.047).caption == "cat 0.047")
    #expect(LabeledBox(box: box, label: "cat", score: 1).caption == "cat 1.000")
    #expect(LabeledBox(box: box, label: "cat").caption == "cat")
  }

  @Test func labelsKeepTheirColour() {
    var colors = LabelPalette()
    let cat = colors.color(of: "cat")
    let dog = colors.color(of: "dog")
    #expect(cat != dog && colors.color(of: "cat") == cat)
    #expect(LabelPalette.text(on: Color(255, 255, 0)) == Color(0, 0, 0))
    #expect(LabelPalette.text(on: Color(0, 0, 90)) == Self.white)
  }

  /// The nearest two of so many labels, in Oklab; black and white are 1 apart.
  @Test(arguments: [(2, 0.3), (6, 0.2), (12, 0.14), (24, 0.08), (48, 0.03)])
  func coloursAreFarApart(count: Int, distance: Double) {
    var palette = LabelPalette()
    let colors = (0..<count).map { LabelPalette.Lab(palette.color(of: "label \($0)")) }
    for (index, one) in colors.enumerated() {
      for other in colors[..<index] { #expect(one.distance(to: other) >= distance) }
    }
  }

  @Test func smallPicturesAreEnlarged() {
    func factor(_ width: Int, _ height: Int) -> Int {
      PictureSheet.enlargement(of: Image(width: width, height: height))
    }
    #expect(factor(96, 96) == 6 && factor(64, 20) == 9 && factor(320, 240) == 2)
    #expect(factor(401, 300) == 1 && factor(640, 480) == 1 && factor(4000, 3000) == 1)
    #expect(factor(1, 1) == 600)
    var colors = LabelPalette()
    var mask = [UInt8](repeating: 0, count: 96 * 96)
    mask[0] = 1
    let drawn = PictureSheet.annotated(
      Image(width: 96, height: 96),
      [
        LabeledBox(
          box: Box(x1: 10, y1: 40, x2: 20, y2: 60), label: "a", score: 0.5,
          mask: try? RunLengthMask(width: 96, height: 96, bitmap: mask))
      ], enlarging: 6, colors: &colors)
    #expect((drawn.width, drawn.height) == (576, 576))
    let color = colors.color(of: "a")
    #expect(drawn[60, 300] == color && drawn[61, 300] == color)
    #expect(drawn[64, 300] == Color(0, 0, 0))
    #expect(drawn[5, 5] != Color(0, 0, 0) && drawn[6, 6] == Color(0, 0, 0))
  }
}

@Suite struct LabelTextTests {
  private static let font = SystemFont.shared
  private static let hasLatin = font.unable(toWrite: ["\u{C4}"]).isEmpty
  private static let hasCJK = font.unable(toWrite: ["\u{732B}"]).isEmpty

  private func ink(_ text: String) -> [UInt8] {
    var canvas = Canvas(Image(width: 120, height: 40))
    canvas.write(text, x: 4, y: 12, capitalHeight: 16, color: Color(255, 255, 255))
    return canvas.image.bytes
  }

  @Test(.enabled(if: hasLatin, "no font with other letters than ASCII is installed"))
  func lettersOfTheSystemsFontsAreDrawn() {
    let texts = [
      "\u{C4}rmel", "Armel\u{E9}", "\u{3B1}\u{3B2}\u{3B3}", "\u{43A}\u{43E}\u{442}",
    ]
    for text in texts { #expect(ink(text).contains { $0 > 200 }, "\(text)") }
    #expect(Set(texts.map(ink)).count == texts.count)
    // An accent of its own is the same letter, and takes no room of its own.
    #expect(ink("A\u{308}rmel") == ink("\u{C4}rmel"))
    let (plain, accented) = ("\u{E9}e", "\u{E9}\u{E9}")
    let widths = [plain, accented].map { LabelText($0, capitalHeight: 16).width }
    #expect(abs(widths[0] - widths[1]) <= 1)
    // The base line is that of the stroke font: a capital stands on it.
    let image = ink("\u{410}")
    let rows = (0..<40).filter { row in
      image[row * 360..<(row + 1) * 360].contains { $0 > 100 }
    }
    #expect(abs((rows.first ?? 0) - 12) <= 2 && abs((rows.last ?? 0) - 27) <= 1, "\(rows)")
  }

  @Test(.enabled(if: hasCJK, "no font with Chinese letters is installed"))
  func chineseLettersAreDrawn() {
    #expect(ink("\u{732B}") != ink("\u{72AC}"))
    #expect(LabelText("\u{732B}\u{72AC}", capitalHeight: 16).width > 30)
  }

  @Test func plainTextLooksTheSameEverywhere() {
    let none = SystemFont(folders: [])
    var (one, other) = (Canvas(Image(width: 90, height: 30)), Canvas(Image(width: 90, height: 30)))
    one.write("cat 0.98", x: 2, y: 4, capitalHeight: 12, color: Color(255, 0, 0))
    other.write("cat 0.98", x: 2, y: 4, capitalHeight: 12, color: Color(255, 0, 0), font: none)
    #expect(one.image == other.image)
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
    var colors = LabelPalette()
    let boxes = [
      LabeledBox(box: Box(x1: 20, y1: 230, x2: 800, y2: 745), label: "bus", score: 0.97),
      LabeledBox(box: Box(x1: 50, y1: 400, x2: 245, y2: 905), label: "person", score: 0.9),
      LabeledBox(
        box: Box(x1: 221, y1: 405, x2: 345, y2: 860), label: "person jogging, Qq&%",
        score: 0.84),
      LabeledBox(box: Box(x1: 669, y1: 392, x2: 810, y2: 878), label: "person", score: 0.8),
      LabeledBox(box: Box(x1: 672, y1: 395, x2: 809, y2: 876), label: "jacket", score: 0.4),
      LabeledBox(
        box: Box(x1: 0, y1: 550, x2: 63, y2: 873), label: "\u{42F} \u{732B} \u{C4}rmel", score: 0.3),
    ]
    canvas.draw(boxes, colors: &colors)
    #expect(canvas.image.width == photograph.width && canvas.image.height == photograph.height)
    #expect(canvas.image != photograph)
    // A picture to look at, where a person asks for it.
    if let folder = ProcessInfo.processInfo.environment["BARON_PICTURES"] {
      try canvas.image.writePNG("\(folder)/boxes.png")
    }
  }
}
