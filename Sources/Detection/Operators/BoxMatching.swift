import Formats
import OpenCL
import Tensors

/// The ground truth of a batch on the device, the images one after the other.
package struct TruthBoxes {
  /// Corners `[T, 4]`: x1, y1, x2, y2.
  package let corners: Tensor
  /// Class of each box, int32 `[T]`.
  package let classes: Tensor
  /// Where each image's boxes start, int32 `[N + 1]`.
  package let offsets: Tensor
  /// Number of boxes of each image.
  package let counts: [Int]
  fileprivate let owners: Tensor

  /// Copies ground truth to the device.
  ///
  /// - Parameters:
  ///   - boxes: For each image its corners, four floats a box.
  ///   - classes: For each image the class of each box.
  ///   - stream: Where the tensors live.
  package init(boxes: [[Float]], classes: [[Int32]], on stream: ComputeStream) throws {
    precondition(
      boxes.map(\.count) == classes.map { 4 * $0.count }, "ground truth with a class a box")
    counts = classes.map(\.count)
    let total = counts.reduce(0, +)
    func integers(_ values: [Int32]) throws -> Tensor {
      try Tensor(values, shape: [values.count], on: stream, label: "ground truth")
    }
    corners = try Tensor(
      Array(boxes.joined()), shape: [total, 4], on: stream, label: "ground truth")
    self.classes = try integers(Array(classes.joined()))
    offsets = try integers(counts.reduce(into: [0]) { $0.append($0[$0.count - 1] + Int32($1)) })
    owners = try integers(
      counts.enumerated().flatMap { [Int32](repeating: Int32($0), count: $1) })
  }

  /// Number of images N.
  package var images: Int { counts.count }
}

/// Boxes that take part in an assignment: grids one after the other, of which an image may fill a
/// part.
package struct CandidateBoxes {
  /// A grid of boxes, row by row.
  package struct Grid {
    /// Boxes of the grid.
    package let count: Int
    /// Boxes of one row.
    package let columns: Int
    /// For each image the rows and the boxes of a row that take part.
    package let limits: [(rows: Int, columns: Int)]

    package init(count: Int, columns: Int, limits: [(rows: Int, columns: Int)]) {
      self.count = count
      self.columns = columns
      self.limits = limits
    }
  }

  /// Corners `[total, 4]` of every image, or `[N, total, 4]`.
  package let boxes: Tensor
  /// How the boxes fall into grids.
  package let grids: [Grid]

  /// Describes candidates.
  package init(_ boxes: Tensor, grids: [Grid]) {
    precondition(
      boxes.shape.last == 4 && boxes.shape[boxes.rank - 2] == grids.reduce(0) { $0 + $1.count },
      "candidates \(boxes.shape) in grids of \(grids.map(\.count))")
    self.boxes = boxes
    self.grids = grids
  }

  /// Boxes of an image.
  package var count: Int { boxes.shape[boxes.rank - 2] }
}

/// From which IoU on a box belongs to a ground truth.
package struct MatchingThresholds: Sendable, Equatable {
  /// Least best IoU of a positive box.
  package var positive: Float
  /// The best IoU of a negative box is below it.
  package var negative: Float
  /// Least best IoU, above 0, of a ground truth that still takes the boxes tied at it, or nil
  /// without that rule.
  package var lowQuality: Float?

  package init(positive: Float, negative: Float, lowQuality: Float? = nil) {
    self.positive = positive
    self.negative = negative
    self.lowQuality = lowQuality
  }
}

extension Tensor {
  /// What a box is matched with that is to be classified as background.
  package static let background: Int32 = -1
  /// What a box is matched with that is left out of the losses.
  package static let leftOut: Int32 = -2

  /// Assigns ground truth to candidate boxes by their IoU, wholly on the device; no gradient.
  ///
  /// Among equal ground truths a box takes the first. With the low-quality rule every ground truth,
  /// in order, then takes all boxes tied at its best IoU among all candidates, so later ones win.
  /// Source: spec detector 2.3, Targets; 2.5.
  ///
  /// - Parameters:
  ///   - candidates: The candidates.
  ///   - truths: Ground truth without crowds.
  ///   - thresholds: From which IoU on a box belongs to a ground truth.
  /// - Returns: int32 `[N, total]`: a ground truth counted within its image, ``background`` or
  ///   ``leftOut``.
  package static func matchedBoxes(
    _ candidates: CandidateBoxes, truths: TruthBoxes, thresholds: MatchingThresholds
  ) throws -> Tensor {
    let (stream, images, boxes) = (truths.corners.stream, truths.images, candidates.boxes)
    precondition(
      candidates.grids.allSatisfy { $0.limits.count == images }
        && (boxes.rank == 2 || boxes.shape[0] == images), "candidates of other images")
    precondition(thresholds.lowQuality.map { $0 > 0 } ?? true, "a low-quality threshold of 0")
    let total = candidates.count
    let found = truths.corners.shape[0]
    let matches = try Tensor(
      uninitialized: [images, total], on: stream, elementType: .int32, label: "box matches")
    let best = try Tensor(repeating: 0, shape: [found], on: stream, label: "best overlaps")
    let limits = try Tensor(
      candidates.grids.flatMap { grid in
        grid.limits.flatMap { [Int32($0.rows), Int32($0.columns)] }
      }, shape: [candidates.grids.count, images, 2], on: stream, label: "grid limits")
    /// What both kernels are told of a grid.
    func place(_ part: Int) -> [KernelArgument] {
      let grid = candidates.grids[part]
      let first = candidates.grids[..<part].reduce(0) { $0 + $1.count }
      return [
        .int(boxes.rank == 2 ? 0 : total), .int(grid.columns), .int(grid.count), .int(first),
        .int(part), .int(images),
      ]
    }
    for (part, grid) in candidates.grids.enumerated() where thresholds.lowQuality != nil {
      let chunks = grid.count.dividedUp(by: Self.matchingChunk)
      try stream.launchRows(
        try stream.library.kernel("box_matching_best", in: "BoxMatching"), rows: found * chunks,
        [
          .buffer(boxes.buffer), .buffer(truths.corners.buffer), .buffer(truths.owners.buffer),
          .buffer(limits.buffer), .buffer(best.buffer),
        ] + place(part) + [.int(chunks)],
        work: Work(
          operations: 16 * Double(found * grid.count), bytes: 16 * Double(found * grid.count)))
    }
    for (part, grid) in candidates.grids.enumerated() {
      try stream.launchElements(
        try stream.library.kernel("box_matching_assign", in: "BoxMatching"),
        count: images * grid.count,
        [
          .buffer(boxes.buffer), .buffer(truths.corners.buffer), .buffer(truths.offsets.buffer),
          .buffer(limits.buffer), .buffer(best.buffer), .buffer(matches.buffer),
          .float(thresholds.positive), .float(thresholds.negative),
          // No overlap reaches 2.
          .float(thresholds.lowQuality ?? 2),
        ] + place(part) + [.int(total)],
        work: Work(
          operations: 16 * Double(found * grid.count), bytes: 20 * Double(images * grid.count)))
    }
    return matches
  }

  /// Boxes of a work-group, `CHUNK` of `BoxMatching.cl`.
  static let matchingChunk = 4096
}
