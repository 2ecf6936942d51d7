import Formats
import Geometry
import Pictures

/// A picture's content: of shapes, objects in clusters, most clusters from one theme.
///
/// All lengths are in units of which the picture has ``side`` in both directions.
package struct Scene: Sendable, Equatable {
  /// The width and height of every scene in units; a picture of this many pixels has one a unit.
  package static let side = 96.0
  private static let mostObjects = 8

  /// One object.
  package struct Object: Sendable, Equatable {
    /// The class.
    package let thing: WorldClass
    /// The box, which rotation leaves as it is.
    package let box: Box
    /// The turn of the shape inside the box, in radians.
    package let rotation: Double
    /// The colour.
    package let color: Color

    /// Draws turn and colour.
    init(_ thing: WorldClass, _ box: Box, _ random: inout CounterRandom) {
      self.thing = thing
      self.box = box
      rotation = random.uniform(-1, 1) * 10 * .pi / 180
      color = Color(
        hue: random.uniform(), saturation: random.uniform(0.5, 0.9), value: random.uniform(0.7, 1))
    }
  }

  /// The objects in painting order.
  package let objects: [Object]
  /// The pattern of the ground, where there is one.
  package let ground: Ground?
  let kind: WorldKind
  let seed: UInt64
  let index: Int

  /// Invents a scene, the same for the same arguments.
  ///
  /// - Parameters:
  ///   - kind: The kind of the world.
  ///   - seed: The seed of the world.
  ///   - index: The number of the scene.
  package init(kind: WorldKind = .shapes, seed: UInt64, index: Int) {
    var random = CounterRandom(seed: seed, CounterRandom.key("scene"), UInt64(index))
    switch kind {
    case .shapes: (objects, ground) = (Self.clusters(&random), nil)
    case .scenery: (objects, ground) = Self.scenery(&random)
    }
    self.kind = kind
    self.seed = seed
    self.index = index
  }

  private static func clusters(_ random: inout CounterRandom) -> [Object] {
    var objects: [Object] = []
    for _ in 0..<1 + random.integer(below: 3) {
      objects += cluster(among: objects, atMost: mostObjects - objects.count, &random)
    }
    return objects
  }

  /// A chain of objects of about one size; the complete one when eight tries find room for it.
  private static func cluster(
    among earlier: [Object], atMost room: Int, _ random: inout CounterRandom
  ) -> [Object] {
    let length = min(room, 1 + random.integer(below: 3))
    let theme = Glyph.themes[random.integer(below: Glyph.themes.count)]
    let size = random.uniform(15, 30)
    for attempt in 1...8 {
      let members = chain(length, theme, size, among: earlier, &random)
      if members.count == length || (attempt >= 6 && !members.isEmpty) { return members }
    }
    return []
  }

  private static func chain(
    _ length: Int, _ theme: [Glyph], _ size: Double, among earlier: [Object],
    _ random: inout CounterRandom
  ) -> [Object] {
    let draw = random.uniform()
    let direction: (x: Double, y: Double) =
      draw < 0.35 ? (1, 0) : draw < 0.7 ? (0, 1) : draw < 0.85 ? (1, 1) : (1, -1)
    var center = (x: random.uniform(size / 2, side - size / 2), y: 0.0)
    center.y = random.uniform(size / 2, side - size / 2)
    var members: [Object] = []
    for _ in 0..<length {
      let (width, height) = (size * random.uniform(0.88, 1.12), size * random.uniform(0.88, 1.12))
      let x = center.x + size * random.uniform(-0.06, 0.06)
      let y = center.y + size * random.uniform(-0.06, 0.06)
      let box = Box(
        x1: Float(x - width / 2), y1: Float(y - height / 2), x2: Float(x + width / 2),
        y2: Float(y + height / 2))
      let choices = random.uniform() < 0.8 ? theme : Glyph.allCases
      let glyph = choices[random.integer(below: choices.count)]
      let object = Object(
        WorldClass(glyph.rawValue, glyph, isNovel: Glyph.novel.contains(glyph)), box, &random)
      guard fits(box, among: earlier) else { break }
      members.append(object)
      let step = size * random.uniform(1, 1.15)
      center = (center.x + direction.x * step, center.y + direction.y * step)
    }
    return members
  }

  private static func fits(_ box: Box, among earlier: [Object]) -> Bool {
    let limit = Float(side)
    guard box.x1 >= 0, box.y1 >= 0, box.x2 <= limit, box.y2 <= limit else { return false }
    return earlier.allSatisfy { other in
      let across = min(box.x2, other.box.x2) - max(box.x1, other.box.x1)
      let down = min(box.y2, other.box.y2) - max(box.y1, other.box.y1)
      return across <= 1.5 || down <= 1.5
    }
  }

  /// A sentence that names classes, each once and always with "a": the demo's text encoder knows
  /// few words.
  ///
  /// - Parameters:
  ///   - names: The classes in the order in which they are named.
  ///   - prefix: What stands in front.
  /// - Returns: For example "a photo of a disk and a star"; "nothing" without classes.
  package static func caption(of names: [String], prefix: String = "a photo of") -> String {
    var named: [String] = []
    for name in names where !named.contains(name) { named.append(name) }
    guard !named.isEmpty else { return "nothing" }
    let phrases = named.map { "a \($0)" }
    return (prefix.isEmpty ? "" : prefix + " ") + phrases.joined(separator: " and ")
  }
}
