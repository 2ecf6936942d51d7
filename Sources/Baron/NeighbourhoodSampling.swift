import Foundation
import Geometry
import Settings

/// Samples bags of neighbouring regions around a proposal (spec method 1.4).
///
/// The neighbourhood is a 3×3 grid of boxes of the proposal's size, cells 0...8 row by row, 4 the
/// proposal itself.
package struct NeighbourhoodSampling: Sendable, Equatable {
  /// Exponent of the aspect ratio in a side's probability.
  package var alpha = 3.0
  /// Largest probability of a neighbour.
  package var baseProbability = 0.3
  /// Share of a neighbour that must lie inside the image.
  package var visibility = 0.3
  /// Gap between neighbours in units of the box; negative overlaps.
  package var interval = -0.1
  /// Most bags of a proposal.
  package var groupLimit = 3
  /// Most orders of a bag.
  package var permutationLimit = 2

  /// The proposal's own cell.
  package static let centre = 4

  /// Creates the sampling of OV-COCO.
  package init() {}

  /// The probabilities of the neighbours to the left, to the right, above and below.
  ///
  /// - Parameters:
  ///   - box: The proposal in pixels.
  ///   - width: The image's unpadded width.
  ///   - height: The image's unpadded height.
  /// - Returns: Four values in 0...``baseProbability``.
  package func sideProbabilities(_ box: Box, width: Float, height: Float) -> [Double] {
    let (w, h) = (Double(box.x2 - box.x1) + 1e-12, Double(box.y2 - box.y1) + 1e-12)
    let beside = baseProbability * pow(h / w, alpha)
    let above = baseProbability * pow(w / h, alpha)
    let room = [
      Double(box.x1) / w, Double(width - box.x2) / w, Double(box.y1) / h,
      Double(height - box.y2) / h,
    ]
    return zip([beside, beside, above, above], room).map { probability, room in
      guard room > visibility + interval, !probability.isNaN else { return 0 }
      return min(max(probability, 0), baseProbability)
    }
  }

  /// The probability of each cell; corners take the geometric mean of their two sides.
  ///
  /// - Parameter sides: Left, right, above, below.
  /// - Returns: Nine values, 1 for the centre.
  package func cellProbabilities(sides: [Double]) -> [Double] {
    let (left, right, up, down) = (sides[0], sides[1], sides[2], sides[3])
    return [
      (left * up).squareRoot(), up, (up * right).squareRoot(), left, 1, right,
      (left * down).squareRoot(), down, (down * right).squareRoot(),
    ]
  }

  /// The box of a cell, cut at the image's border.
  ///
  /// - Parameters:
  ///   - cell: 0...8.
  ///   - box: The proposal in pixels.
  ///   - width: The image's unpadded width.
  ///   - height: The image's unpadded height.
  package func cellBox(_ cell: Int, of box: Box, width: Float, height: Float) -> Box {
    let (w, h) = (box.x2 - box.x1 + 1e-12, box.y2 - box.y1 + 1e-12)
    let dx = Float(cell % 3 - 1) * Float(1 + interval) * w
    let dy = Float(cell / 3 - 1) * Float(1 + interval) * h
    func clamp(_ value: Float, _ limit: Float) -> Float { min(max(value, 0), limit) }
    return Box(
      x1: clamp(box.x1 + dx, width), y1: clamp(box.y1 + dy, height),
      x2: clamp(box.x2 + dx, width), y2: clamp(box.y2 + dy, height))
  }

  /// Draws distinct bags.
  ///
  /// Equal to drawing every cell independently and again on a repeat, but without a loop that may
  /// not end: the at most 256 sets of cells are drawn without replacement from the product
  /// distribution.
  ///
  /// - Parameters:
  ///   - probabilities: Of the nine cells.
  ///   - random: Where randomness comes from.
  /// - Returns: Bags of ascending cells, each with the centre.
  package func bags(
    probabilities: [Double], using random: inout some RandomNumberGenerator
  ) -> [[Int]] {
    let cells = (0..<9).filter { $0 != Self.centre && probabilities[$0] > 0 }
    let wanted = min(groupLimit, Self.factorial(cells.count))
    var sets = (0..<(1 << cells.count)).map { bits in
      let weight = cells.indices.reduce(1.0) { product, index in
        let probability = probabilities[cells[index]]
        return product * (bits >> index & 1 == 1 ? probability : 1 - probability)
      }
      return (bits: bits, weight: weight)
    }
    var bags: [[Int]] = []
    while bags.count < wanted {
      let total = sets.reduce(0) { $0 + $1.weight }
      guard total > 0 else { break }
      var left = Double.random(in: 0..<total, using: &random)
      var chosen = sets.lastIndex { $0.weight > 0 } ?? 0
      for index in sets.indices {
        left -= sets[index].weight
        if left < 0 {
          chosen = index
          break
        }
      }
      let bits = sets[chosen].bits
      sets[chosen].weight = 0
      let neighbours = cells.indices.filter { bits >> $0 & 1 == 1 }.map { cells[$0] }
      bags.append((neighbours + [Self.centre]).sorted())
    }
    return bags
  }

  /// Draws distinct orders of `count` things, uniformly.
  ///
  /// - Parameters:
  ///   - count: How many things, at most 20.
  ///   - limit: Most orders.
  ///   - random: Where randomness comes from.
  /// - Returns: min(count!, limit) permutations of 0..<count.
  package static func permutations(
    of count: Int, limit: Int, using random: inout some RandomNumberGenerator
  ) -> [[Int]] {
    let all = factorial(count)
    let wanted = min(all, limit)
    // Floyd's sampling of distinct numbers, each the rank of a permutation.
    var ranks: [Int] = []
    for upper in (all - wanted)..<all {
      let drawn = Int.random(in: 0...upper, using: &random)
      ranks.append(ranks.contains(drawn) ? upper : drawn)
    }
    return ranks.shuffled(using: &random).map { rank in
      var (rank, rest) = (rank, Array(0..<count))
      return (0..<count).map { position in
        let below = factorial(count - 1 - position)
        defer { rank %= below }
        return rest.remove(at: rank / below)
      }
    }
  }

  static func factorial(_ count: Int) -> Int {
    // 20! is the largest that fits: more things than that are not ordered here.
    (0..<min(count, 20)).reduce(1) { $0 * ($1 + 1) }
  }

  /// The tight box round boxes.
  ///
  /// - Parameter boxes: At least one.
  /// - Returns: Their hull.
  package static func span(of boxes: [Box]) -> Box {
    precondition(!boxes.isEmpty, "the span of no boxes")
    return boxes.dropFirst().reduce(boxes[0]) {
      Box(
        x1: min($0.x1, $1.x1), y1: min($0.y1, $1.y1), x2: max($0.x2, $1.x2),
        y2: max($0.y2, $1.y2))
    }
  }

  /// A box in units of its span, in 0...1.
  ///
  /// - Parameters:
  ///   - box: The box in pixels.
  ///   - span: The span in pixels.
  package static func normalised(_ box: Box, in span: Box) -> Box {
    let (w, h) = (span.x2 - span.x1 + 1e-12, span.y2 - span.y1 + 1e-12)
    return Box(
      x1: (box.x1 - span.x1) / w, y1: (box.y1 - span.y1) / h, x2: (box.x2 - span.x1) / w,
      y2: (box.y2 - span.y1) / h)
  }
}

extension NeighbourhoodSampling: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("group_limit", &groupLimit, .whole(1...256))
    try keys.field("permutation_limit", &permutationLimit, .whole(1...24))
    try keys.field("alpha", &alpha, .notNegative)
    try keys.field("base_probability", &baseProbability, .number(0...1))
    try keys.field("visibility", &visibility, .number(0...1))
    try keys.field("interval", &interval, .number(-0.9...1))
  }
}
