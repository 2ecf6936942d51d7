import Detection
import Formats

/// The bags of a batch as flat host arrays (spec method 1.4).
///
/// A *sequence* is one order of one bag; an *occurrence* is one region at one place of a sequence.
/// The order everywhere is image, proposal, bag, order, position.
public struct BagBatch: Sendable {
  /// Distinct regions U: image of the batch and box in pixels.
  public var regions: [(image: Int, box: Box)] = []
  /// Per occurrence N, its region.
  public var regionOfOccurrence: [Int32] = []
  /// Per occurrence, its box in units of the bag's span.
  public var normalisedBoxes: [Box] = []
  /// Per occurrence, equal for the same cell of the same proposal.
  public var boxKeys: [Int32] = []
  /// Per sequence S, its number of occurrences.
  public var lengths: [Int] = []
  /// Per sequence, its bag.
  public var groupOfSequence: [Int32] = []
  /// Per bag G, its image and span in pixels.
  public var spans: [(image: Int, box: Box)] = []
  /// Proposals that bags were sampled around.
  public var proposalCount = 0

  /// Creates an empty batch.
  public init() {}

  /// Number of sequences S.
  public var sequenceCount: Int { lengths.count }

  /// Number of occurrences N.
  public var occurrenceCount: Int { regionOfOccurrence.count }

  /// The image of each sequence.
  public var imageOfSequence: [Int] { groupOfSequence.map { spans[Int($0)].image } }

  /// The sequence of each occurrence.
  public var sequenceOfOccurrence: [Int32] {
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
  ///   - occurrenceLimit: At least 1; proposals that would take the image beyond it are left out,
  ///     but the first keeps the orders that fit, so that no image is without a bag.
  ///   - random: Where randomness comes from.
  public mutating func append(
    proposals: [Box], image: Int, width: Float, height: Float, sampling: NeighbourhoodSampling,
    occurrenceLimit: Int = .max, using random: inout some RandomNumberGenerator
  ) {
    precondition(occurrenceLimit >= 1, "an image keeps at least one region")
    let before = occurrenceCount
    for proposal in proposals {
      func box(_ cell: Int) -> Box {
        sampling.cellBox(cell, of: proposal, width: width, height: height)
      }
      let sides = sampling.sideProbabilities(proposal, width: width, height: height)
      let groups = sampling.groups(
        probabilities: sampling.cellProbabilities(sides: sides), using: &random)
      let orders = groups.map {
        NeighbourhoodSampling.permutations(
          of: $0.count, limit: sampling.permutationLimit, using: &random)
      }
      let added = zip(groups, orders).reduce(0) { $0 + $1.0.count * $1.1.count }
      guard occurrenceCount - before + added <= occurrenceLimit else {
        guard occurrenceCount == before else { return }
        let (groups, orders) = Self.fitting(groups, orders, limit: occurrenceLimit)
        return append(groups, orders, of: proposal, image: image, box: box)
      }
      append(groups, orders, of: proposal, image: image, box: box)
    }
  }

  /// The orders that fit into a number of occurrences, or else the proposal alone.
  private static func fitting(
    _ groups: [[Int]], _ orders: [[[Int]]], limit: Int
  ) -> (groups: [[Int]], orders: [[[Int]]]) {
    var left = limit
    var fitting: (groups: [[Int]], orders: [[[Int]]]) = ([], [])
    for (cells, orders) in zip(groups, orders) {
      let count = min(orders.count, left / cells.count)
      guard count > 0 else { continue }
      left -= count * cells.count
      fitting.groups.append(cells)
      fitting.orders.append(Array(orders.prefix(count)))
    }
    return fitting.groups.isEmpty ? ([[NeighbourhoodSampling.centre]], [[[0]]]) : fitting
  }

  private mutating func append(
    _ groups: [[Int]], _ orders: [[[Int]]], of proposal: Box, image: Int, box: (Int) -> Box
  ) {
    let key = Int32(proposalCount * 9)
    proposalCount += 1
    var regionOfCell: [Int: Int32] = [:]
    for (cells, orders) in zip(groups, orders) {
      let boxes = cells.map(box)
      for (cell, box) in zip(cells, boxes) where regionOfCell[cell] == nil {
        regionOfCell[cell] = Int32(regions.count)
        regions.append((image, box))
      }
      let span = NeighbourhoodSampling.span(of: boxes)
      let group = Int32(spans.count)
      spans.append((image, span))
      for order in orders {
        lengths.append(order.count)
        groupOfSequence.append(group)
        for place in order {
          regionOfOccurrence.append(regionOfCell[cells[place]] ?? 0)
          normalisedBoxes.append(NeighbourhoodSampling.normalised(boxes[place], in: span))
          boxKeys.append(key + Int32(cells[place]))
        }
      }
    }
  }
}
