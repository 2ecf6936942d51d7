import Foundation

/// Colours of labels, as far apart as so many colours can be.
///
/// Each label that is asked for takes the next colour of a fixed sequence, of which any beginning is
/// spread over what the eye tells apart (Oklab, Ottosson 2020). Whoever keeps the palette from picture
/// to picture gives a label one colour in all of them.
package struct LabelPalette: Sendable {
  private var places: [String: Int] = [:]

  /// Creates a palette without labels.
  package init() {}

  /// The colour that a label's boxes and tag are drawn in.
  ///
  /// - Parameter label: The label; a new one takes the next colour.
  package mutating func color(of label: String) -> Color {
    let place = places[label] ?? places.count
    places[label] = place
    return Self.sequence[place % Self.sequence.count]
  }

  /// Black or white, whichever reads better on a colour.
  ///
  /// - Parameter background: The colour behind the text.
  /// - Returns: The text's colour.
  package static func text(on background: Color) -> Color {
    background.luminance > 0.55 ? Color(0, 0, 0) : Color(255, 255, 255)
  }

  /// All colours: each is the candidate that is farthest from those before it.
  static let sequence: [Color] = {
    let candidates = Self.candidates.map { (color: $0, lab: Lab($0)) }
    // A blue that shows on most photographs comes first.
    let blue = Color(0, 114, 255)
    let first = candidates.min { one, other in
      one.lab.distance(to: Lab(blue)) < other.lab.distance(to: Lab(blue))
    }
    guard let first else { return [blue] }
    var chosen = [first]
    var nearest = candidates.map { $0.lab.distance(to: first.lab) }
    while chosen.count < candidates.count {
      guard let place = nearest.indices.max(by: { nearest[$0] < nearest[$1] }), nearest[place] > 0
      else { break }
      chosen.append(candidates[place])
      for index in nearest.indices {
        nearest[index] = min(
          nearest[index], candidates[index].lab.distance(to: candidates[place].lab))
      }
    }
    return chosen.map(\.color)
  }()

  /// Vivid and deep colours of all hues; greys are those of photographs.
  private static var candidates: [Color] {
    (0..<24).flatMap { hue in
      [(0.95, 1.0), (0.55, 1.0), (0.95, 0.6)].map { saturation, value in
        Color(hue: Double(hue) / 24, saturation: saturation, value: value)
      }
    }
  }

  /// A colour in coordinates whose distances are those that people see.
  struct Lab {
    let lightness, greenRed, blueYellow: Double

    init(_ color: Color) {
      func linear(_ channel: UInt8) -> Double {
        let value = Double(channel) / 255
        return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
      }
      let (red, green, blue) = (linear(color.red), linear(color.green), linear(color.blue))
      let long = cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
      let medium = cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
      let short = cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
      lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
      greenRed = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
      blueYellow = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    }

    func distance(to other: Lab) -> Double {
      // Hue tells labels apart better than lightness, which photographs have of their own.
      let apart = (
        0.7 * (lightness - other.lightness), greenRed - other.greenRed,
        blueYellow - other.blueYellow
      )
      return (apart.0 * apart.0 + apart.1 * apart.1 + apart.2 * apart.2).squareRoot()
    }
  }
}
