/// The kinds of drawn worlds.
package enum WorldKind: String, CaseIterable, Sendable {
  /// Every class has a shape of its own.
  case shapes
  /// Most shapes have two names, and only the ground of the picture says which.
  case scenery

  /// The classes; category ids count from 1 in this order.
  package var classes: [WorldClass] { self == .shapes ? Self.shapeClasses : Self.sceneryClasses }

  /// The classes that are labelled in training.
  package var base: [WorldClass] { classes.filter { !$0.isNovel } }

  /// The classes that are not labelled in training.
  package var novel: [WorldClass] { classes.filter(\.isNovel) }

  private static let shapeClasses = Glyph.allCases.map {
    WorldClass($0.rawValue, $0, isNovel: Glyph.novel.contains($0))
  }

  /// Pairs of names and controls, whose shape has one name; base first.
  private static let sceneryClasses =
    pair("napkin", "leaf", .kite, isNovel: false) + pair("pear", "bud", .heart, isNovel: false)
    + pair("towel", "patch", .chess, isNovel: false) + pair("candy", "moth", .bow, isNovel: false)
    + [
      WorldClass("vee", .vee, isNovel: false), WorldClass("target", .target, isNovel: false),
      WorldClass("window", .frame, isNovel: false), WorldClass("ladder", .aitch, isNovel: false),
    ]
    + pair("cup", "bucket", .dome, isNovel: true) + pair("cake", "flower", .star, isNovel: true)
    + pair("bagel", "hose", .ring, isNovel: true) + pair("fork", "rake", .tee, isNovel: true)
    + [WorldClass("fence", .fence, isNovel: true), WorldClass("timer", .glass, isNovel: true)]

  private static func pair(
    _ striped: String, _ dotted: String, _ glyph: Glyph, isNovel: Bool
  ) -> [WorldClass] {
    [
      WorldClass(striped, glyph, isNovel: isNovel, on: .striped),
      WorldClass(dotted, glyph, isNovel: isNovel, on: .dotted),
    ]
  }
}

/// The pattern of a picture's ground.
package enum Ground: CaseIterable, Sendable {
  /// Level stripes.
  case striped
  /// Round dots in rows and columns.
  case dotted
}

/// A class of a drawn world.
package struct WorldClass: Sendable, Hashable {
  /// What captions and categories call it.
  package let name: String
  /// The shape that it shows.
  package let glyph: Glyph
  /// Whether training has no boxes of it.
  package let isNovel: Bool
  /// The ground on which the shape has this name; nil where the shape has no other.
  package let ground: Ground?

  init(_ name: String, _ glyph: Glyph, isNovel: Bool, on ground: Ground? = nil) {
    self.name = name
    self.glyph = glyph
    self.isNovel = isNovel
    self.ground = ground
  }
}
