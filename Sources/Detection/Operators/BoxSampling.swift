import Formats
import OpenCL
import Tensors

/// Draws positives and negatives for a loss, negatives filling up what positives leave.
///
/// Source: spec detector 2.3, Targets; 2.5.
package struct BalancedSampler: Sendable, Equatable {
  /// Boxes to draw from an image.
  package let count: Int
  /// Largest share of positives.
  package let positiveFraction: Float

  package init(count: Int, positiveFraction: Float) {
    self.count = count
    self.positiveFraction = positiveFraction
  }

  /// Most positives of an image.
  package var mostPositives: Int { Int(Float(count) * positiveFraction) }
}

/// Which boxes of each image were drawn.
package struct SampledRows {
  /// int32 `[N, count]`: the positives by rising index, then the negatives by rising index, then -1.
  package let rows: Tensor
  /// int32 `[N, 2]`: how many positives and negatives there are.
  package let counts: Tensor

  /// Puts a sample together.
  package init(rows: Tensor, counts: Tensor) {
    precondition(
      rows.rank == 2 && counts.shape == [rows.shape[0], 2], "rows \(rows.shape), counts of others")
    self.rows = rows
    self.counts = counts
  }
}

/// What heads are trained on at sampled rows; rows of -1 hold zeros.
package struct SampledBoxes {
  /// `[N * count, 5]`: image and corners.
  package let regions: Tensor
  /// int32 `[N * count]`: the class of the matched ground truth, else the background's.
  package let labels: Tensor
  /// `[N * count, 4]`: normalised deltas to the matched ground truth; 0 for negatives.
  package let deltas: Tensor
  /// int32 `[N * count]`: the matched ground truth, counted within its image; -1 for negatives.
  package let truths: Tensor
}

extension Tensor {
  /// Draws from the boxes of each image, uniformly and without repetition, on the device.
  ///
  /// Box `i` of an image has the key that is number `i` of the image's random sequence; the smallest
  /// keys of each kind are drawn. The draw depends on the sequence and the matches alone.
  ///
  /// - Parameters:
  ///   - sampler: How many of each kind.
  ///   - random: A sequence for each image.
  /// - Returns: The sample of these matches, int32 `[N, n]` as of
  ///   ``matchedBoxes(_:truths:thresholds:)``.
  package func sampledRows(
    _ sampler: BalancedSampler, random: [CounterRandom]
  ) throws -> SampledRows {
    precondition(
      elementType == .int32 && rank == 2 && shape[0] == random.count,
      "samples of \(shape) with \(random.count) sequences")
    let (images, size) = (shape[0], shape[1])
    func integers(_ shape: [Int], _ label: String) throws -> Tensor {
      try Tensor(uninitialized: shape, on: stream, elementType: .int32, label: label)
    }
    let rows = try integers([images, sampler.count], "sampled rows")
    let counts = try integers([images, 2], "sample counts")
    guard images * sampler.count > 0 else { return SampledRows(rows: rows, counts: counts) }
    // What a bin holds is a draw itself; eight times its mean and 64 more do not happen.
    let capacity = min(size, sampler.count + 8 * (size / Self.samplingBins) + 64)
    let keys = try stream.queue.allocate(bytes: 8 * images * size, label: "sampling keys")
    let listed = try stream.queue.allocate(bytes: 16 * images * capacity, label: "sampling keys")
    let indices = try integers([images, 2, capacity], "sampling list")
    let chosen = try integers([images, 2, capacity], "sampling list")
    let bins = try integers([images, 2, Self.samplingBins], "sampling histogram")
    let state = try integers([images, 2, 3], "sampling state")
    try stream.queue.fill(bins.buffer, pattern: 0)
    let starts = try Tensor(
      random.flatMap {
        [Int32(truncatingIfNeeded: $0.state), Int32(truncatingIfNeeded: $0.state >> 32)]
      }, shape: [images, 2], on: stream, label: "random sequences")
    let all = Double(images * size)
    try stream.launchElements(
      try stream.library.kernel("box_sampling_keys", in: "BoxSampling"), count: images * size,
      [
        .buffer(buffer), .buffer(starts.buffer), .buffer(keys), .buffer(bins.buffer), .int(size),
      ], work: Work(operations: 8 * all, bytes: 12 * all))
    try stream.launchRows(
      try stream.library.kernel("box_sampling_pick", in: "BoxSampling"), rows: images,
      [
        .buffer(bins.buffer), .buffer(state.buffer), .buffer(counts.buffer), .int(sampler.count),
        .int(sampler.mostPositives),
      ], work: Work(bytes: Double(4 * bins.count)))
    try stream.launchElements(
      try stream.library.kernel("box_sampling_append", in: "BoxSampling"), count: images * size,
      [
        .buffer(keys), .buffer(state.buffer), .buffer(listed), .buffer(indices.buffer),
        .int(capacity), .int(size),
      ], work: Work(bytes: 8 * all))
    try stream.launchRows(
      try stream.library.kernel("box_sampling_finish", in: "BoxSampling"), rows: images,
      [
        .buffer(state.buffer), .buffer(listed), .buffer(indices.buffer), .buffer(chosen.buffer),
        .buffer(rows.buffer), .int(capacity), .int(sampler.count),
      ], work: Work(bytes: Double(24 * images * capacity)))
    return SampledRows(rows: rows, counts: counts)
  }

  /// What the heads are trained on at sampled boxes; no gradient.
  ///
  /// - Parameters:
  ///   - sample: Rows of these candidates.
  ///   - matches: int32 `[N, n]`, what the candidates were matched with.
  ///   - truths: The ground truth.
  ///   - background: The background's class.
  ///   - coding: The normalisation of the deltas.
  /// - Returns: What stands at each sampled row of these candidates `[N, n, 4]`.
  package func sampledBoxes(
    _ sample: SampledRows, matches: Tensor, truths: TruthBoxes, background: Int, coding: BoxCoding
  ) throws -> SampledBoxes {
    precondition(
      rank == 3 && matches.shape == Array(shape.dropLast()) && shape.last == 4
        && sample.rows.shape[0] == shape[0], "candidates \(shape) with matches \(matches.shape)")
    let count = sample.rows.count
    func integers(_ label: String) throws -> Tensor {
      try Tensor(uninitialized: [count], on: stream, elementType: .int32, label: label)
    }
    let result = SampledBoxes(
      regions: try Tensor(uninitialized: [count, 5], on: stream, label: "regions"),
      labels: try integers("labels"),
      deltas: try Tensor(uninitialized: [count, 4], on: stream, label: "targets"),
      truths: try integers("matched truths"))
    try stream.launchElements(
      try stream.library.kernel("box_sampling_regions", in: "BoxSampling"), count: count,
      [
        .buffer(buffer), .buffer(matches.buffer), .buffer(sample.rows.buffer),
        .buffer(truths.corners.buffer), .buffer(truths.offsets.buffer),
        .buffer(truths.classes.buffer), .buffer(try coding.statistics(on: stream).buffer),
        .buffer(result.regions.buffer), .buffer(result.labels.buffer),
        .buffer(result.deltas.buffer), .buffer(result.truths.buffer), .int(background),
        .int(sample.rows.shape[1]), .int(shape[1]),
      ], work: Work(operations: 24 * Double(count), bytes: 80 * Double(count)))
    return result
  }

  /// Bins of the histogram, `BINS` of `BoxSampling.cl`.
  static let samplingBins = 2048
}
