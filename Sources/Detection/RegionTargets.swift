import Geometry
import OpenCL
import Tensors

/// The regions of a batch that the heads are trained on, with their targets; the images one after
/// the other, positives first in each.
///
/// Source: spec detector 2.5, RoI assignment and sampling.
package struct RegionTargets {
  /// A region that holds an object.
  package struct Positive: Sendable, Equatable {
    /// Its box.
    package let box: Box
    /// The ground truth that it holds, counted within its image.
    package let truth: Int
  }

  /// `[R, 5]`: image and corners.
  package let regions: Tensor
  /// Class of each region, int32 `[R]`; the background's for negatives.
  package let labels: Tensor
  /// Normalised deltas to the ground truth, `[R, 4]`; 0 for negatives.
  package let deltas: Tensor
  /// Number of regions of each image.
  package let counts: [Int]
  /// Number of positives of each image.
  package let positiveCounts: [Int]
  /// The positives of each image, where they were asked for.
  package let positives: [[Positive]]

  /// Puts targets together.
  package init(
    regions: Tensor, labels: Tensor, deltas: Tensor, counts: [Int], positiveCounts: [Int],
    positives: [[Positive]] = []
  ) {
    let total = counts.reduce(0, +)
    precondition(
      regions.shape == [total, 5] && labels.shape == [total] && deltas.shape == [total, 4],
      "regions \(regions.shape), labels \(labels.shape), deltas \(deltas.shape) for \(counts)")
    self.regions = regions
    self.labels = labels
    self.deltas = deltas
    self.counts = counts
    self.positiveCounts = positiveCounts
    self.positives = positives
  }

  /// Number of regions R.
  package var count: Int { counts.reduce(0, +) }

  /// Which rows are positives.
  var positiveRows: [Int32] {
    var first = 0
    return zip(counts, positiveCounts).flatMap { count, positives in
      defer { first += count }
      return (first..<first + positives).map { Int32($0) }
    }
  }
}

/// Sampled regions of which the host does not know yet how many there are.
package struct PendingRegions {
  private let boxes: SampledBoxes
  private let images: Int
  /// int32 `[N, 2]`: positives and negatives.
  let counts: PendingRead
  private let read: (regions: PendingRead, truths: PendingRead)?

  /// Starts to read how many there are.
  ///
  /// - Parameters:
  ///   - boxes: What was sampled, as many rows an image.
  ///   - counts: int32 `[N, 2]`: positives and negatives.
  ///   - readsPositives: Whether to read the positives' boxes too.
  init(_ boxes: SampledBoxes, counts: Tensor, readsPositives: Bool) throws {
    self.boxes = boxes
    images = counts.shape[0]
    self.counts = try counts.readLater()
    read = readsPositives ? (try boxes.regions.readLater(), try boxes.truths.readLater()) : nil
  }

  /// Waits for the number of regions.
  ///
  /// - Returns: The regions without the rows that were left empty.
  package func targets() throws -> RegionTargets {
    let numbers = try counts.integers().map { Int($0) }
    let positiveCounts = (0..<images).map { numbers[2 * $0] }
    let totals = (0..<images).map { numbers[2 * $0] + numbers[2 * $0 + 1] }
    let wanted = boxes.labels.count / max(1, images)
    func filled(_ tensor: Tensor) throws -> Tensor {
      guard totals.contains(where: { $0 < wanted }) else { return tensor }
      return try Tensor.concatenated(
        totals.enumerated().map { image, count in
          try tensor.sliced(axis: 0, image * wanted..<image * wanted + count)
        }, axis: 0)
    }
    return RegionTargets(
      regions: try filled(boxes.regions), labels: try filled(boxes.labels),
      deltas: try filled(boxes.deltas), counts: totals, positiveCounts: positiveCounts,
      positives: try positives(positiveCounts, wanted: wanted))
  }

  private func positives(
    _ counts: [Int], wanted: Int
  ) throws -> [[RegionTargets.Positive]] {
    guard let read else { return [] }
    let (rows, truths) = (try read.regions.floats(), try read.truths.integers())
    return counts.enumerated().map { image, count in
      (image * wanted..<image * wanted + count).map { row in
        RegionTargets.Positive(
          box: Box(
            x1: rows[5 * row + 1], y1: rows[5 * row + 2], x2: rows[5 * row + 3],
            y2: rows[5 * row + 4]), truth: Int(truths[row]))
      }
    }
  }
}
