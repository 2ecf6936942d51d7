import Formats
import Geometry
import Masks

/// A box with its label, to be drawn.
package struct LabeledBox: Sendable, Equatable {
  /// The box in pixels of the picture.
  package let box: Box
  /// The label.
  package let label: String
  /// The score in [0, 1], or nil for a ground-truth box.
  package let score: Double?
  /// The pixels of the object, or nil; drawn when they have the size of the picture.
  package let mask: RunLengthMask?

  package init(
    box: Box, label: String, score: Double? = nil, mask: RunLengthMask? = nil
  ) {
    self.mask = mask
    self.box = box
    self.label = label
    self.score = score
  }

  /// What the tag says: the label, and the score as ``ScoreText`` writes it.
  package var caption: String {
    guard let score, score.isFinite else { return label }
    return "\(label) \(ScoreText.of(score))"
  }
}

/// Sizes of lines and letters for a picture, and places for its tags.
struct LabelLayout {
  let width: Float
  let height: Float
  let thickness: Float
  let capitalHeight: Double

  init(width: Int, height: Int) {
    self.width = Float(width)
    self.height = Float(height)
    let side = (Double(width) * Double(height)).squareRoot()
    capitalHeight = max(8, min(64, (side / 70).rounded()))
    thickness = Float(max(2, min(14, (side / 350).rounded())))
  }

  /// The room around the letters of a tag.
  var padding: Double { (capitalHeight * 0.4).rounded(.up) }

  func tagSize(of caption: String) -> (width: Float, height: Float) {
    let text = LabelText(caption, capitalHeight: capitalHeight).width
    // Descenders reach into the lower padding, which is enough for them at every size.
    return (Float((text + 2 * padding).rounded(.up)), Float(capitalHeight + 2 * padding))
  }

  /// The longest form of a caption whose tag fits the picture's width.
  func shortened(_ caption: String) -> String {
    // No letter is narrower than a pixel.
    var text = String(caption.prefix(max(1, Int(width))))
    while text.count > 1, tagSize(of: text).width > width { text = String(text.dropLast()) }
    return text
  }

  /// One place for each tag, all inside the picture; earlier boxes choose first.
  ///
  /// A tag stands on its box's upper edge, else inside it, else below, else at the nearest height
  /// where it covers least of the tags placed before.
  func places(for boxes: [LabeledBox]) -> [Box] {
    var placed: [Box] = []
    for item in boxes {
      let size = tagSize(of: shortened(item.caption))
      let box = item.box.clipped(width: width, height: height)
      var best: (place: Box, cost: Float)?
      for (order, corner) in candidates(box, size).enumerated() {
        let outside = corner.y < 0 || corner.y + size.height > height
        let x = max(0, min(corner.x, width - size.width))
        let y = max(0, min(corner.y, height - size.height))
        let place = Box(x1: x, y1: y, x2: x + size.width, y2: y + size.height)
        let covered = placed.reduce(0) { $0 + $1.overlap(with: place) }
        let cost = covered * 100 + Float(order) + (outside ? 50 : 0)
        if best.map({ cost < $0.cost }) ?? true { best = (place, cost) }
      }
      if let best { placed.append(best.place) }
    }
    return placed
  }

  private func candidates(
    _ box: Box, _ size: (width: Float, height: Float)
  ) -> [(x: Float, y: Float)] {
    let (left, right) = (box.x1, box.x2 - size.width)
    let (above, inside) = (box.y1 - size.height, box.y1)
    let (below, insideBottom) = (box.y2, box.y2 - size.height)
    var corners = [
      (left, above), (left, inside), (right, above), (right, inside), (left, below),
      (left, insideBottom), (right, below), (right, insideBottom),
    ]
    for step in 1...12 {
      let shift = Float(step) * size.height
      corners += [(left, above - shift), (left, inside + shift)]
    }
    return corners.map { (x: $0.0, y: $0.1) }
  }
}

extension Canvas {
  /// Draws masks, then boxes with filled tags of label and score; line and letter sizes follow the picture.
  ///
  /// The best-scored box is drawn last and its tag is placed first.
  ///
  /// - Parameters:
  ///   - boxes: The boxes in pixels of the picture.
  ///   - colors: Gives each label its colour.
  package mutating func draw(_ boxes: [LabeledBox], colors: inout LabelPalette) {
    let table = Dictionary(boxes.map { ($0.label, colors.color(of: $0.label)) }) { $1 }
    draw(boxes) { table[$0.label] ?? Color(255, 255, 255) }
  }

  /// Draws masks, then boxes with filled tags, in colours of the caller's choice.
  ///
  /// - Parameters:
  ///   - boxes: The boxes in pixels of the picture.
  ///   - color: The colour of each.
  package mutating func draw(_ boxes: [LabeledBox], color: (LabeledBox) -> Color) {
    let layout = LabelLayout(width: image.width, height: image.height)
    let ranked = boxes.sorted { ($0.score ?? 1) > ($1.score ?? 1) }
    for item in ranked.reversed() {
      guard let mask = item.mask else { continue }
      fill(mask, color: color(item), opacity: 0.4)
    }
    for item in ranked.reversed() {
      outline(item.box, color: color(item), thickness: layout.thickness)
    }
    for (item, place) in zip(ranked, layout.places(for: ranked)).reversed() {
      let color = color(item)
      fill(place, color: color, opacity: 0.92)
      write(
        layout.shortened(item.caption), x: Double(place.x1) + layout.padding,
        y: Double(place.y1) + layout.padding, capitalHeight: layout.capitalHeight,
        color: LabelPalette.text(on: color))
    }
  }
}
