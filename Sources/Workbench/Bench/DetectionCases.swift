import Detection
import Formats
import Geometry
import Tensors

extension BenchCase {
  /// Pooling of regions and suppression of overlapping boxes.
  static var detectionCases: [BenchCase] {
    [pooling(backward: false), pooling(backward: true), nms]
  }

  /// Anchors of an image of 800 x 1088 from their places to their losses.
  static var anchorCases: [BenchCase] {
    [
      anchors("ours/lay_anchors_163200", bytes: 16) { world in
        { _ = try world.laid() }
      },
      anchors("ours/match_anchors_163200x20", bytes: 36) { world in
        { _ = try world.matches() }
      },
      anchors("ours/sample_anchors_256_of_163200", bytes: 20) { world in
        let matches = try world.matches()
        return { _ = try matches.sampledRows(world.sampler, random: [CounterRandom(seed: 1)]) }
      },
      anchors("ours/anchor_losses_256_of_163200/forward_backward", bytes: 20) { world in
        let matches = try world.matches()
        let anchors = SampledAnchors(
          grid: world.grid,
          sample: try matches.sampledRows(world.sampler, random: [CounterRandom(seed: 1)]),
          matches: matches, truths: world.truths)
        var values = BenchValues()
        let logits = try values.tensor([1, 200, 272, 3], on: matches.stream).trained("logits")
        let deltas = try values.tensor([1, 200, 272, 12], on: matches.stream).trained("deltas")
        return forwardAndBackward([logits, deltas]) {
          try Tensor.anchorObjectnessLoss([logits], anchors)
            .adding(try Tensor.anchorDeltaLoss([deltas], anchors))
        }
      },
    ]
  }

  /// The anchors of a map and twenty objects.
  private struct AnchorWorld {
    let bases: Tensor
    let grid: AnchorGrid
    let truths: TruthBoxes
    let sampler = BalancedSampler(count: 256, positiveFraction: 0.5)

    init(on stream: ComputeStream) throws {
      var values = BenchValues()
      bases = try Tensor(
        AnchorGenerator(RegionProposalConfiguration()).baseAnchors(level: 0).corners,
        shape: [3, 4], on: stream)
      grid = try AnchorGrid(bases: [bases], maps: [(height: 200, width: 272, stride: 4)])
      let boxes = values.boxes(20, sides: 16...256, width: 1088, height: 800).corners
      truths = try TruthBoxes(
        boxes: [boxes], classes: [[Int32](repeating: 0, count: 20)], on: stream)
    }

    func laid() throws -> AnchorGrid {
      try AnchorGrid(bases: [bases], maps: [(height: 200, width: 272, stride: 4)])
    }

    func matches() throws -> Tensor {
      let columns = 3 * 272
      return try Tensor.matchedBoxes(
        CandidateBoxes(
          grid.anchors,
          grids: [
            CandidateBoxes.Grid(
              count: 200 * columns, columns: columns, limits: [(rows: 200, columns: columns)])
          ]), truths: truths,
        thresholds: MatchingThresholds(positive: 0.7, negative: 0.3, lowQuality: 0.3))
    }
  }

  private static func anchors(
    _ name: String, bytes: Double, prepare: @escaping (AnchorWorld) throws -> () throws -> Void
  ) -> BenchCase {
    BenchCase(
      name: name, gflop: nil, bytes: 163_200 * bytes, shape: [("anchors", [163_200, 4])]
    ) { try prepare(try AnchorWorld(on: $0)) }
  }

  private static func pooling(backward: Bool) -> BenchCase {
    let map = [1, 200, 272, 256]
    let features = [512, 7, 7, 256]
    return BenchCase(
      name: "roi_align/512x256x7x7/\(backward ? "backward" : "forward")",
      gflop: 1e-9 * Double(features.reduce(4 * 8, *)),
      bytes: 4 * Double(map.reduce(1, *) + features.reduce(1, *)),
      shape: [("feature", map), ("rois", [512]), ("output", [7]), ("sampling", [2])],
      ofActivations: true
    ) { stream in
      var values = BenchValues()
      let boxes = values.boxes(512, sides: 32...256, width: 1088, height: 800)
      let rois = try Tensor.regions([Region]([boxes]), on: stream)
      guard backward else {
        let feature = try values.activation(map, on: stream)
        return {
          _ = try Tensor.roiAlign(
            levels: [feature], scales: [0.25], rois: rois, height: 7, width: 7, samplingRatio: 2,
            aligned: false)
        }
      }
      let gradient = try values.activation(features, on: stream)
      return {
        _ = try gradient.roiAlignInputGradient(
          rois: rois, map: map, scale: 0.25, samplingRatio: 2, aligned: false)
      }
    }
  }

  private static var nms: BenchCase {
    BenchCase(
      name: "nms/2000", gflop: nil, bytes: 4 * 5 * 2000,
      shape: [("boxes", [2000]), ("groups", [5])]
    ) { stream in
      var values = BenchValues()
      let corners = values.boxes(2000, sides: 16...256, width: 1088, height: 800).corners
      let boxes = try Tensor(corners, shape: [1, 2000, 4], on: stream)
      let scores = try Tensor(
        (0..<2000).map { _ in values.number(in: 0...1) }, shape: [1, 2000], on: stream)
      let groups = try Tensor(values.integers(2000, below: 5), shape: [1, 2000], on: stream)
      return {
        _ = try Tensor.nonMaximumSuppression(
          boxes: boxes, scores: scores, groups: groups, threshold: 0.7)
      }
    }
  }
}
