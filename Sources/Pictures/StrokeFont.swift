/// A font of pen strokes for the 95 printable ASCII characters; any other one has the glyph of "?".
///
/// Glyphs live on a grid: 0 is the top of a capital, 3 the top of an "x", 8 the baseline, 11 the
/// lowest point of a "g". A stroke is a list of points of two hexadecimal digits each, x then y; with
/// "~" in front the points control a quadratic B-spline, which closes when the first point returns.
enum StrokeFont {
  /// The height of a capital in grid units.
  static let capitalHeight = 8.0
  static let gap = 2.6

  struct Point: Sendable, Equatable {
    var x: Double
    var y: Double
  }

  struct Glyph: Sendable {
    /// Polylines; one of a single point is a dot.
    let strokes: [[Point]]
    let advance: Double
  }

  /// The glyph of a character.
  static func glyph(of character: Character) -> Glyph {
    let code = character.asciiValue.map { Int($0) - 32 } ?? -1
    return glyphs.indices.contains(code) ? glyphs[code] : glyphs[31]
  }

  private static let glyphs: [Glyph] = descriptions.map { description in
    let strokes = description.split(separator: "/").map { stroke -> [Point] in
      let isCurve = stroke.first == "~"
      let points = stroke.drop { $0 == "~" }.split(separator: " ").map { pair -> Point in
        let digits = pair.map { Double($0.hexDigitValue ?? 0) }
        return Point(x: digits[0], y: digits[1])
      }
      return isCurve ? smooth(points) : points
    }
    let right = strokes.joined().map(\.x).max() ?? 1.6
    return Glyph(strokes: strokes, advance: right + gap)
  }

  /// Cuts the corners of a control polygon three times, which approaches its B-spline.
  private static func smooth(_ control: [Point]) -> [Point] {
    let closed = control.first == control.last
    var points = control
    for _ in 0..<3 {
      var cut: [Point] = []
      for (from, to) in zip(points, points.dropFirst()) {
        cut.append(Point(x: from.x * 0.75 + to.x * 0.25, y: from.y * 0.75 + to.y * 0.25))
        cut.append(Point(x: from.x * 0.25 + to.x * 0.75, y: from.y * 0.25 + to.y * 0.75))
      }
      if closed {
        cut.append(cut[0])
      } else {
        cut[0] = control[0]
        cut[cut.count - 1] = control[control.count - 1]
      }
      points = cut
    }
    return points
  }

  /// From space to tilde in code order.
  private static let descriptions = [
    "", "00 05/08", "00 02/20 22", "20 18/50 48/03 63/05 65",
    "~62 61 01 04 64 67 07 06/30 38", "60 08/~00 20 23 03 00/~45 65 68 48 45",
    "~68 12 10 40 43 04 08 48 65", "00 02", "~20 02 06 28", "~00 22 26 08", "20 24/01 43/03 41",
    "32 36/14 54", "17 18 0a", "04 44", "08", "50 08",
    "~00 50 58 08 00", "02 20 28/08 48", "~02 00 50 54 08/08 58", "~01 00 50 54 24/~24 54 58 08 07",
    "48 40 05 65", "50 00 03/~03 53 58 08 07", "~40 01 06/~03 53 58 08 03", "00 50 18",
    "~00 50 54 04 00/~04 54 58 08 04", "~00 50 55 05 00/~52 57 18", "04/08", "14/17 18 0a",
    "51 04 57", "03 53/05 55", "01 54 07", "~01 00 50 53 24 26/28",
    "~78 08 00 80 86 56 53/~23 53 56 26 23", "08 30 68/15 55",
    "30 00 08 38/04 34/~30 60 64 34/~34 64 68 38", "~61 60 00 08 68 67", "20 00 08 28/~20 60 68 28",
    "50 00 08 58/04 44", "50 00 08/04 44", "~61 60 00 08 68 64/34 64", "00 08/60 68/04 64",
    "00 40/20 28/08 48", "40 45/~45 48 08 06", "00 08/50 05/23 58", "00 08 58", "08 00 36 60 68",
    "08 00 68 60", "~00 70 78 08 00", "08 00 30/~30 60 64 34/34 04", "~00 70 78 08 00/56 79",
    "08 00 30/~30 60 64 34/34 04/34 68", "~61 60 00 04 64 68 08 07", "00 60/30 38",
    "00 04/~04 08 68 64/64 60", "00 38 60", "00 28 42 68 80", "00 68/60 08", "00 34 60/34 38",
    "00 60 08 68", "20 00 0a 2a", "00 58", "00 20 2a 0a", "03 20 43", "09 69",
    "00 12", "~03 53 58 08 03/53 58", "00 08/~03 53 58 08 03", "~54 53 03 08 58 57",
    "50 58/~03 53 58 08 03", "05 55/~55 53 03 08 58 57", "~40 10 14/14 18/03 33",
    "~03 53 58 08 03/53 58/~58 5b 0b 0a", "00 08/~06 03 53 56/56 58", "03 08/01",
    "23 29/~29 2b 0b/21", "00 08/43 06/15 48", "00 06/~06 08 28",
    "03 08/~05 03 43 45/45 48/~45 43 83 85/85 88", "03 08/~06 03 53 56/56 58", "~03 53 58 08 03",
    "03 0b/~03 53 58 08 03", "53 5b/~03 53 58 08 03", "03 08/~06 03 43", "~44 43 03 05 46 48 08 07",
    "11 16/~16 18 38/03 33", "03 05/~05 08 58 55/53 58", "03 28 43", "03 18 34 58 63",
    "03 48/43 08", "03 28/43 1b", "03 43 08 48", "~30 10 14 04/~04 14 18 38", "00 0a",
    "~00 20 24 34/~34 24 28 08", "~05 13 46 54",
  ]
}
