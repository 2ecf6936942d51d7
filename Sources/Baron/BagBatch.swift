import Formats
import Geometry

/// The bags of a batch as flat host arrays (spec method 1.4).
///
/// A *region* is a box of an image, a *bag* a set of neighbouring regions. A *sequence* is one order
/// of a bag; an *occurrence* is one region at one place of a sequence.
/// The order everywhere is image, proposal, bag, order, position.
package struct BagBatch: Sendable {
  /// Distinct regions U: image of the batch and box in pixels.
  package var regions: [Region] = []
  /// Per occurrence N, its region.
  package var regionOfOccurrence: [Int32] = []
  /// Per occurrence, its box in units of the bag's span.
  package var normalisedBoxes: [Box] = []
  /// Per occurrence, equal for the same region.
  package var regionKeys: [Int32] = []
  /// Per sequence S, its number of occurrences.
  package var lengths: [Int] = []
  /// Per sequence, its bag.
  package var bagOfSequence: [Int32] = []
  /// Per bag G, its image and span in pixels.
  package var spans: [Region] = []
  /// Proposals that bags were sampled around.
  package var proposalCount = 0

  /// Creates an empty batch.
  package init() {}

  /// Number of sequences S.
  package var sequenceCount: Int { lengths.count }

  /// Number of occurrences N.
  package var occurrenceCount: Int { regionOfOccurrence.count }

  /// The image of each sequence.
  package var imageOfSequence: [Int] { bagOfSequence.map { spans[Int($0)].image } }

  /// The sequence of each occurrence.
  package var sequenceOfOccurrence: [Int32] {
    lengths.enumerated().flatMap { [Int32](repeating: Int32($0), count: $1) }
  }

  /// Samples the bags round the proposals of one image and appends them.
  ///
  /// - Parameters:
  ///   - proposals: Boxes in pixels of the resized image.
  ///   - image: The image's place in the batch.
  ///   - width: The image's unpadded width.
  ///   - height: The image's unpadded height.
  ///   - sampling: How to sample.
  ///   - occurrenceLimit: Proposals that would take the image beyond it are left out, but the first
  ///     keeps the orders that fit, so that no image is without a bag; 0 for no limit.
  ///   - random: Where randomness comes from.
  package mutating func append(
    proposals: [Box], image: Int, width: Float, height: Float, sampling: NeighbourhoodSampling,
    occurrenceLimit: Int = 0, using random: inout some RandomNumberGenerator
  ) {
    let limit = occurrenceLimit == 0 ? .max : occurrenceLimit
    let before = occurrenceCount
    for proposal in proposals {
      func box(_ cell: Int) -> Box {
        sampling.cellBox(cell, of: proposal, width: width, height: height)
      }
      let sides = sampling.sideProbabilities(proposal, width: width, height: height)
      let bags = sampling.bags(
        probabilities: sampling.cellProbabilities(sides: sides), using: &random)
      let orders = bags.map {
        NeighbourhoodSampling.permutations(
          of: $0.count, limit: sampling.permutationLimit, using: &random)
      }
      let added = zip(bags, orders).reduce(0) { $0 + $1.0.count * $1.1.count }
      guard occurrenceCount - before + added <= limit else {
        guard occurrenceCount == before else { return }
        let (bags, orders) = Self.fitting(bags, orders, limit: limit)
        return append(bags, orders, image: image, box: box)
      }
      append(bags, orders, image: image, box: box)
    }
  }

  /// Appends a region that is a sequence by itself.
  ///
  /// - Parameters:
  ///   - region: The box in pixels of the resized image.
  ///   - image: The image's place in the batch.
  ///   - span: What the teacher sees of it; nil for the region alone.
  package mutating func append(region: Box, image: Int, span: Box? = nil) {
    append(
      [[NeighbourhoodSampling.centre]], [[[0]]], image: image, box: { _ in region },
      span: { _ in span ?? region })
  }

  /// The orders that fit into a number of occurrences, or else the proposal alone.
  private static func fitting(
    _ bags: [[Int]], _ orders: [[[Int]]], limit: Int
  ) -> (bags: [[Int]], orders: [[[Int]]]) {
    var left = limit
    var fitting: (bags: [[Int]], orders: [[[Int]]]) = ([], [])
    for (cells, orders) in zip(bags, orders) {
      let count = min(orders.count, left / cells.count)
      guard count > 0 else { continue }
      left -= count * cells.count
      fitting.bags.append(cells)
      fitting.orders.append(Array(orders.prefix(count)))
    }
    return fitting.bags.isEmpty ? ([[NeighbourhoodSampling.centre]], [[[0]]]) : fitting
  }

  private mutating func append(
    _ bags: [[Int]], _ orders: [[[Int]]], image: Int, box: (Int) -> Box,
    span: ([Box]) -> Box = NeighbourhoodSampling.span
  ) {
    let key = Int32(proposalCount * 9)
    proposalCount += 1
    var regionOfCell: [Int: Int32] = [:]
    for (cells, orders) in zip(bags, orders) {
      let boxes = cells.map(box)
      for (cell, box) in zip(cells, boxes) where regionOfCell[cell] == nil {
        regionOfCell[cell] = Int32(regions.count)
        regions.append(Region(image: image, box: box))
      }
      let span = span(boxes)
      let bag = Int32(spans.count)
      spans.append(Region(image: image, box: span))
      for order in orders {
        lengths.append(order.count)
        bagOfSequence.append(bag)
        for place in order {
          regionOfOccurrence.append(regionOfCell[cells[place]] ?? 0)
          normalisedBoxes.append(NeighbourhoodSampling.normalised(boxes[place], in: span))
          regionKeys.append(key + Int32(cells[place]))
        }
      }
    }
  }
}
