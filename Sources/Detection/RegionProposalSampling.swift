import Formats
import Tensors

extension RegionProposalNetwork {
  /// Samples anchors of one image for the losses (spec detector 2.3).
  ///
  /// Works on the host from what it knows beforehand; nothing is read from the device.
  ///
  /// - Parameters:
  ///   - grid: The anchors of the batch.
  ///   - frame: The image's own size.
  ///   - groundTruth: Its boxes, crowds excluded.
  ///   - random: Where the choice comes from.
  /// - Returns: The sample with wanted deltas.
  public func sample(
    _ grid: AnchorGrid, frame: ImageFrame, groundTruth: [Box], random: inout CounterRandom
  ) -> AnchorSample {
    let matches = Matcher(
      positiveThreshold: configuration.positiveOverlap,
      negativeThreshold: configuration.negativeOverlap,
      lowQualityThreshold: configuration.lowQualityOverlap
    ).matches(boxes: grid.boxes, truths: groundTruth, isValid: grid.isValid(in: frame)).truths
    let chosen = BalancedSampler(
      count: configuration.samples, positiveFraction: configuration.positiveFraction
    ).sample(matches: matches, using: &random)
    return AnchorSample(
      positives: chosen.positives, negatives: chosen.negatives,
      targets: chosen.positives.flatMap {
        BoxCoder.anchors.encoded(groundTruth[Int(matches[$0])], from: grid.boxes[$0])
      })
  }

  /// The best boxes of every image (spec detector 2.3); no gradient.
  ///
  /// All images are enqueued before the first is read.
  ///
  /// - Parameters:
  ///   - output: What the network said.
  ///   - grid: The anchors of the batch.
  ///   - frames: Each image's own size.
  ///   - limits: How many stay.
  /// - Returns: Boxes in pixels of the resized image and their objectness, best first, per image.
  /// - Throws: `OpenCLError` when the device fails.
  public func proposals(
    _ output: RegionProposalOutput, _ grid: AnchorGrid, frames: [ImageFrame],
    limits: ProposalLimits
  ) throws -> [(boxes: [Box], scores: [Float])] {
    let stream = output.logits[0].stream
    let anchors = try zip(grid.levels, output.logits).map { boxes, level in
      try Tensor(boxes.corners, shape: [boxes.count, 4], on: stream, label: "anchors")
    }
    let chosen = try stream.withoutGradients {
      try frames.enumerated().map { image, frame in
        func rows(_ map: Tensor, _ columns: [Int]) throws -> Tensor {
          let own = frames.count == 1 ? map : try map.sliced(axis: 0, image..<image + 1)
          return own.reshaped([own.count / columns.reduce(1, *)] + columns)
        }
        return try selectProposals(
          scores: try output.logits.map { try rows($0.detached(), []) },
          deltas: try output.deltas.map { try rows($0.detached(), [4]) }, anchors: anchors,
          imageSize: (Float(frame.width), Float(frame.height)), perLevel: limits.perLevel,
          limit: limits.total, nmsThreshold: configuration.overlap)
      }
    }
    return try chosen.map { try $0.read() }
  }
}

/// The anchors of a batch, level by level.
public struct AnchorGrid: Sendable {
  /// Anchors of each level.
  public let levels: [[Box]]
  /// All anchors, the levels one after the other.
  public let boxes: [Box]
  private let generator: AnchorGenerator
  private let sizes: [(height: Int, width: Int)]

  /// Lays anchors out on maps.
  ///
  /// - Parameters:
  ///   - generator: Where anchors stand.
  ///   - maps: `[N, H, W, ...]` of each level.
  public init(_ generator: AnchorGenerator, maps: [Tensor]) {
    self.generator = generator
    sizes = maps.map { ($0.shape[1], $0.shape[2]) }
    levels = sizes.enumerated().map { level, size in
      generator.anchors(level: level, height: size.height, width: size.width)
    }
    boxes = levels.flatMap { $0 }
  }

  /// Which anchors belong to an image that may be smaller than its batch.
  ///
  /// - Parameter frame: The image's own size.
  /// - Returns: One flag an anchor.
  public func isValid(in frame: ImageFrame) -> [Bool] {
    sizes.enumerated().flatMap { level, size in
      generator.isValid(
        level: level, height: size.height, width: size.width, imageHeight: frame.paddedHeight,
        imageWidth: frame.paddedWidth)
    }
  }
}
