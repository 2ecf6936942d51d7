import Foundation
import Geometry

/// A photograph with boxes drawn over it as vectors, all in frames of one size.
///
/// What is right has full lines, what is wrong broken ones, what was missed dotted ones, each of its
/// own colour, with a dark line around that shows on any ground.
package struct SVGPhoto: Sendable {
  /// What a box says.
  package enum Mark: String, Sendable, CaseIterable {
    /// A right detection.
    case right
    /// A wrong detection.
    case wrong
    /// An object that was not found.
    case missed

    var color: String {
      switch self {
      case .right: "#5cc0ff"
      case .wrong: "#ff9a3c"
      case .missed: "#ffffff"
      }
    }

    /// The attribute that breaks a line, with a space in front.
    var dashes: String {
      switch self {
      case .right: ""
      case .wrong: " stroke-dasharray=\"10 5\""
      case .missed: " stroke-dasharray=\"1 6\" stroke-linecap=\"round\""
      }
    }
  }

  /// A box with its tag.
  package struct Item: Sendable {
    let mark: Mark
    let box: Box
    let tag: String

    /// - Parameters:
    ///   - mark: What the box says.
    ///   - box: Where, in pixels of the original picture.
    ///   - tag: What stands at it.
    package init(_ mark: Mark, box: Box, tag: String) {
      self.mark = mark
      self.box = box
      self.tag = tag
    }
  }

  private let image: Data
  private let isPNG: Bool
  private let width: Double
  private let height: Double
  private let description: String
  private let items: [Item]

  private static let frame = (width: 480.0, height: 360.0)
  private static let fontSize = 15.0
  private static let tagHeight = 20.0
  /// The share of a tag that may lie on others.
  private static let mostCovered: Float = 0.05

  /// Creates a photograph with boxes.
  ///
  /// - Parameters:
  ///   - image: A JPEG or PNG file, of the original size or smaller.
  ///   - isPNG: Which of the two it is.
  ///   - width: The original's width in pixels, which boxes are given in.
  ///   - height: The original's height in pixels.
  ///   - description: What it shows, for people who do not see it.
  ///   - items: The boxes, the most important ones first.
  package init(
    image: Data, isPNG: Bool, width: Int, height: Int, description: String, items: [Item]
  ) {
    self.image = image
    self.isPNG = isPNG
    self.width = Double(max(1, width))
    self.height = Double(max(1, height))
    self.description = description
    self.items = items
  }

  /// The drawing.
  ///
  /// - Returns: One `svg` element.
  package func svg() -> String {
    let scale = min(Self.frame.width / width, Self.frame.height / height)
    let (left, top) = (
      (Self.frame.width - width * scale) / 2, (Self.frame.height - height * scale) / 2
    )
    let place = SVGCanvas.attributes([
      "x": left, "y": top, "width": width * scale, "height": height * scale,
    ])
    let type = isPNG ? "png" : "jpeg"
    // Drawn scenes keep their pixels.
    let look = isPNG ? " style=\"image-rendering:pixelated\"" : ""
    var parts = [
      "<rect width=\"\(SVGCanvas.number(Self.frame.width))\""
        + " height=\"\(SVGCanvas.number(Self.frame.height))\" class=\"ground\"/>",
      "<image \(place)\(look) href=\"data:image/\(type);base64,\(image.base64EncodedString())\"/>",
    ]
    let boxes = items.map { item in
      let box = item.box
      return Box(
        x1: Float(left + Double(box.x1) * scale), y1: Float(top + Double(box.y1) * scale),
        x2: Float(left + Double(box.x2) * scale), y2: Float(top + Double(box.y2) * scale)
      ).clipped(width: Float(Self.frame.width), height: Float(Self.frame.height))
    }
    for (item, box) in zip(items, boxes).reversed() {
      parts.append("<g><title>\(Markup.escaped(item.tag))</title>")
      parts += Self.outline(item.mark, box) + ["</g>"]
    }
    for (item, tag) in zip(items, Self.tags(of: items, at: boxes)).reversed() {
      if let tag { parts.append(Self.markup(tag, item)) }
    }
    let label = Markup.escaped(description)
    return """
      <svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="\(label)" \
      viewBox="0 0 \(SVGCanvas.number(Self.frame.width)) \(SVGCanvas.number(Self.frame.height))" \
      font-family="system-ui,sans-serif" font-size="\(SVGCanvas.number(Self.fontSize))">
      <title>\(label)</title>
      \(parts.joined(separator: "\n"))
      </svg>
      """
  }

  /// What the lines mean.
  ///
  /// - Parameter names: For each kind of line its meaning.
  /// - Returns: One `svg` element.
  package static func legend(_ names: KeyValuePairs<Mark, String>) -> String {
    var x = 4.0
    var parts: [String] = []
    for (mark, name) in names {
      parts += outline(mark, Box(x1: Float(x), y1: 6, x2: Float(x + 34), y2: 24))
      parts.append(
        "<text x=\"\(SVGCanvas.number(x + 44))\" y=\"19\" fill=\"currentColor\">"
          + "\(Markup.escaped(name))</text>")
      x += 44 + Double(name.columns) * SVGCanvas.characterWidth * 13 / 12 + 26
    }
    return
      "<svg class=\"legend\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"lines\""
      + " viewBox=\"0 0 \(SVGCanvas.number(x)) 30\" width=\"\(SVGCanvas.number(x))\" height=\"30\""
      + " style=\"max-width:100%;height:auto;min-width:0\" font-family=\"system-ui,sans-serif\""
      + " font-size=\"13\">\(parts.joined())</svg>"
  }

  private static func outline(_ mark: Mark, _ box: Box) -> [String] {
    let place = SVGCanvas.attributes([
      "x": Double(box.x1), "y": Double(box.y1), "width": Double(max(0, box.width)),
      "height": Double(max(0, box.height)),
    ])
    return [
      "<rect \(place) fill=\"none\" stroke=\"#000000\" stroke-opacity=\"0.6\" stroke-width=\"5\"/>",
      "<rect class=\"\(mark.rawValue)\" \(place) fill=\"none\" stroke=\"\(mark.color)\""
        + " stroke-width=\"2.6\"\(mark.dashes)/>",
    ]
  }

  /// A tag's place and its text.
  private struct Tag {
    let place: Box
    let text: String
  }

  /// One place for each tag inside the frame and near its box; earlier boxes choose first, and a tag
  /// that would cover others has none: its text shows on demand.
  private static func tags(of items: [Item], at boxes: [Box]) -> [Tag?] {
    let letter = SVGCanvas.characterWidth * fontSize / 12
    var tags: [Tag?] = []
    for (item, box) in zip(items, boxes) {
      let text = item.tag.shortened(
        to: Int((frame.width - 12) / letter), mark: "\u{2026}")
      let size = (width: Float(Double(text.columns) * letter + 10), height: Float(tagHeight))
      var corners = [
        (box.x1, box.y1 - size.height), (box.x1, box.y1), (box.x1, box.y2),
        (box.x2 - size.width, box.y1 - size.height), (box.x1, box.y2 - size.height),
        (box.x2 - size.width, box.y2),
      ]
      corners += (1...2).flatMap { step in
        let shift = Float(step) * size.height
        return [(box.x1, box.y1 - shift - size.height), (box.x1, box.y1 + shift)]
      }
      var best: (place: Box, cost: Float)?
      for (order, corner) in corners.enumerated() {
        let x = max(0, min(corner.0, Float(frame.width) - size.width))
        let y = max(0, min(corner.1, Float(frame.height) - size.height))
        let place = Box(x1: x, y1: y, x2: x + size.width, y2: y + size.height)
        let covered = tags.reduce(0) { $0 + ($1?.place.overlap(with: place) ?? 0) }
        guard covered < mostCovered * place.area else { continue }
        let cost = 100 * covered + Float(order) + (corner.1 == y ? 0 : 50)
        if cost < best?.cost ?? .infinity { best = (place, cost) }
      }
      tags.append(best.map { Tag(place: $0.place, text: text) })
    }
    return tags
  }

  private static func markup(_ tag: Tag, _ item: Item) -> String {
    let place = SVGCanvas.attributes([
      "x": Double(tag.place.x1), "y": Double(tag.place.y1), "width": Double(tag.place.width),
      "height": Double(tag.place.height),
    ])
    let text = SVGCanvas.attributes([
      "x": Double(tag.place.x1) + 5, "y": Double(tag.place.y1) + 15,
    ])
    return "<rect class=\"tag\" \(place) rx=\"2\" fill=\"\(item.mark.color)\" fill-opacity=\"0.93\""
      + " stroke=\"#000000\" stroke-opacity=\"0.5\"/><text \(text) fill=\"#101418\">"
      + "\(Markup.escaped(tag.text))</text>"
  }
}
