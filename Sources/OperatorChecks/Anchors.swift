import Detection
import Formats
import Foundation
import Geometry
import Tensors

extension OperatorFamily {
  /// Anchors of an image of 800 x 1088 from their places to their losses.
  static var anchors: OperatorFamily {
    OperatorFamily(
      checks: [laying, matching, sampling, targets, sampledClasses, objectness, deltas],
      cases: cases)
  }

  private static let boxes: [Box] = (0..<48).map { index in
    let (x, y) = (Float(index % 8) * 9, Float(index / 8) * 11)
    return Box(x1: x, y1: y, x2: x + 12 + Float(index % 5), y2: y + 10 + Float(index % 7))
  }
  private static let truths = [
    [Box(x1: 3, y1: 2, x2: 19, y2: 15), Box(x1: 30, y1: 24, x2: 44, y2: 36)],
    [Box(x1: 0, y1: 40, x2: 26, y2: 55)],
  ]
  private static let thresholds = MatchingThresholds(
    positive: 0.6, negative: 0.3, lowQuality: 0.3)

  private static func truthBoxes(on stream: ComputeStream) throws -> TruthBoxes {
    try TruthBoxes(boxes: truths.map(\.corners), classes: [[3, 1], [2]], on: stream)
  }

  private static func grid(on stream: ComputeStream) throws -> AnchorGrid {
    AnchorGrid(
      anchors: try Tensor(boxes.corners, shape: [boxes.count, 4], on: stream),
      counts: [boxes.count])
  }

  private static var laying: OperatorCheck {
    let bases: [[Float]] = [[-8, -4, 8, 4], [-3, -6, 3, 6]]
    return OperatorCheck(
      name: "anchors", operators: [], shapes: [[1]], tolerance: 0, hasGradient: false,
      device: {
        let base = try Tensor(bases.flatMap { $0 }, shape: [2, 4], on: $0[0].stream)
        return try AnchorGrid(
          bases: [base, base],
          maps: [(height: 3, width: 5, stride: 4), (height: 2, width: 3, stride: 8)]
        ).anchors
      },
      host: { _ in
        let maps: [(cells: Int, columns: Int, stride: Float)] = [(15, 5, 4), (6, 3, 8)]
        return maps.flatMap { map in
          (0..<map.cells).flatMap { (cell: Int) -> [Double] in
            let x = map.stride * Float(cell % map.columns)
            let y = map.stride * Float(cell / map.columns)
            return bases.flatMap { zip($0, [x, y, x, y]).map { Double($0 + $1) } }
          }
        }
      })
  }

  private static var matching: OperatorCheck {
    OperatorCheck(
      name: "box matching", operators: ["matchedBoxes"], shapes: [[1]], hasGradient: false,
      device: {
        let stream = $0[0].stream
        // Of the second image the last row of eight anchors takes no part.
        let candidates = CandidateBoxes(
          try grid(on: stream).anchors,
          grids: [
            CandidateBoxes.Grid(
              count: 48, columns: 8, limits: [(rows: 6, columns: 8), (rows: 5, columns: 8)])
          ])
        return try Tensor.matchedBoxes(
          candidates, truths: try truthBoxes(on: stream), thresholds: thresholds)
      },
      host: { _ in
        truths.enumerated().flatMap { image, own in
          HostReference.matches(
            boxes, truths: own, isValid: { $0 < (image == 0 ? 48 : 40) }, thresholds
          ).map(Double.init)
        }
      })
  }

  private static var sampling: OperatorCheck {
    let sampler = BalancedSampler(count: 30, positiveFraction: 0.4)
    func random(_ image: Int) -> CounterRandom { CounterRandom(seed: 3, UInt64(image)) }
    return OperatorCheck(
      name: "box sampling", operators: ["sampledRows"], shapes: [[2, 400]], hasGradient: false,
      device: {
        let matches = try $0[0].floats().map { Int32(kind($0)) }
        return try Tensor(matches, shape: [2, 400], on: $0[0].stream)
          .sampledRows(sampler, random: [random(0), random(1)]).rows
      },
      host: { x in
        (0..<2).flatMap { image -> [Double] in
          let matches = x[0][image * 400..<(image + 1) * 400].map { Int32(kind(Float($0))) }
          let drawn = HostReference.sample(matches, sampler, random: random(image))
          return (drawn.positives + drawn.negatives).map(Double.init)
        }
      })
  }

  /// A match from a number between -1 and 1: one of ten positive, two of ten left out.
  private static func kind(_ value: Float) -> Int { value > 0.8 ? 0 : value > 0.4 ? -2 : -1 }

  private static let positives = [[1, 30], [17]]
  private static let negatives = [[0, 5, 47], [2]]
  private static var divisor: Double { 2 + 3 + 1 + 1 }

  private static func sampled(on stream: ComputeStream) throws -> SampledAnchors {
    let lists = zip(positives, negatives).map { $0 + $1 }
    let rows = lists.flatMap { list in
      list.map { Int32($0) } + [Int32](repeating: -1, count: 5 - list.count)
    }
    let counts = zip(positives, negatives).flatMap { [Int32($0.count), Int32($1.count)] }
    return SampledAnchors(
      grid: try grid(on: stream),
      sample: SampledRows(
        rows: try Tensor(rows, shape: [2, 5], on: stream),
        counts: try Tensor(counts, shape: [2, 2], on: stream)),
      matches: try Tensor([Int32](repeating: 0, count: 96), shape: [2, 48], on: stream),
      truths: try truthBoxes(on: stream))
  }

  private static let coding = BoxCoding(deviations: [0.1, 0.1, 0.2, 0.2])
  /// Which object each sampled positive belongs to.
  private static let owners = [[1: 0, 30: 1], [17: 0]]

  /// What a head is trained on at the sampled boxes.
  private static func sampledBoxes(on stream: ComputeStream) throws -> SampledBoxes {
    let sample = try sampled(on: stream)
    var matches = [Int32](repeating: -1, count: 96)
    for (image, own) in owners.enumerated() {
      for (box, truth) in own { matches[48 * image + box] = Int32(truth) }
    }
    let corners = boxes.corners
    return try Tensor(corners + corners, shape: [2, 48, 4], on: stream).sampledBoxes(
      sample.sample, matches: try Tensor(matches, shape: [2, 48], on: stream),
      truths: sample.truths, background: 5, coding: coding)
  }

  private static func sampledRows(_ body: (Int, Int, Int?) -> [Double]) -> [Double] {
    zip(positives, negatives).enumerated().flatMap { image, lists -> [Double] in
      let rows = lists.0 + lists.1
      return (rows + [Int](repeating: -1, count: 5 - rows.count)).flatMap {
        body(image, $0, owners[image][$0])
      }
    }
  }

  private static var targets: OperatorCheck {
    OperatorCheck(
      name: "sampled boxes", operators: ["sampledBoxes"], shapes: [[1]], hasGradient: false,
      device: {
        let found = try sampledBoxes(on: $0[0].stream)
        return try Tensor.concatenated([found.regions, found.deltas], axis: 1)
      },
      host: { _ in
        sampledRows { image, row, truth in
          guard row >= 0 else { return [Double(image), 0, 0, 0, 0, 0, 0, 0, 0] }
          let box = boxes[row]
          let delta = truth.map {
            BoxCoder(coding).encoded(truths[image][$0], from: box).map(Double.init)
          }
          return [Double(image)] + [box.x1, box.y1, box.x2, box.y2].map(Double.init)
            + (delta ?? [0, 0, 0, 0])
        }
      })
  }

  private static var sampledClasses: OperatorCheck {
    OperatorCheck(
      name: "sampled classes", operators: ["sampledBoxes"], shapes: [[1]], tolerance: 0,
      hasGradient: false,
      device: {
        let found = try sampledBoxes(on: $0[0].stream)
        return try Tensor.concatenated([found.labels, found.truths], axis: 0)
      },
      host: { _ in
        sampledRows { image, _, truth in [truth.map { [[3.0, 1], [2]][image][$0] } ?? 5] }
          + sampledRows { _, _, truth in [truth.map(Double.init) ?? -1] }
      })
  }

  private static var objectness: OperatorCheck {
    OperatorCheck(
      name: "objectness loss", operators: ["anchorObjectnessLoss"], shapes: [[2, 6, 8, 1]],
      range: -3...3,
      device: { try Tensor.anchorObjectnessLoss($0, try sampled(on: $0[0].stream)) },
      host: { x in
        func sum(_ lists: [[Int]], _ target: Double) -> Double {
          lists.enumerated().reduce(0) { sum, list in
            list.element.reduce(sum) {
              let logit = x[0][48 * list.offset + $1]
              return $0 + log1p(exp(logit)) - target * logit
            }
          }
        }
        return [(sum(positives, 1) + sum(negatives, 0)) / divisor]
      })
  }

  private static var deltas: OperatorCheck {
    OperatorCheck(
      name: "anchor delta loss", operators: ["anchorDeltaLoss"], shapes: [[2, 6, 8, 4]],
      range: -3...3,
      device: { try Tensor.anchorDeltaLoss($0, try sampled(on: $0[0].stream)) },
      host: { x in
        let sum = positives.enumerated().reduce(0.0) { sum, list in
          list.element.reduce(sum) { sum, anchor in
            let wanted = BoxCoder.anchors.encoded(truths[list.offset][0], from: boxes[anchor])
            return (0..<4).reduce(sum) {
              $0 + abs(x[0][4 * (48 * list.offset + anchor) + $1] - Double(wanted[$1]))
            }
          }
        }
        return [sum / divisor]
      })
  }

  private static var cases: [BenchCase] {
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
}

extension HostReference {
  /// What each box is matched with; see `Tensor.matchedBoxes`.
  package static func matches(
    _ boxes: [Box], truths: [Box], isValid: (Int) -> Bool, _ thresholds: MatchingThresholds
  ) -> [Int32] {
    let overlaps = boxes.map { box in truths.map { $0.iou(with: box) } }
    let valid = boxes.indices.filter {
      isValid($0) && boxes[$0].width > 0 && boxes[$0].height > 0
    }
    var result = [Int32](repeating: Tensor.leftOut, count: boxes.count)
    for box in valid {
      let best = overlaps[box].max() ?? 0
      if let first = overlaps[box].firstIndex(of: best), best >= thresholds.positive {
        result[box] = Int32(first)
      } else if best < thresholds.negative {
        result[box] = Tensor.background
      }
    }
    guard let lowest = thresholds.lowQuality else { return result }
    for truth in truths.indices {
      let best = valid.map { overlaps[$0][truth] }.max() ?? 0
      for box in valid where best >= lowest && overlaps[box][truth] == best {
        result[box] = Int32(truth)
      }
    }
    return result
  }

  /// The positives and negatives of an image's sample, each rising.
  package static func sample(
    _ matches: [Int32], _ sampler: BalancedSampler, random: CounterRandom
  ) -> (positives: [Int], negatives: [Int]) {
    var random = random
    let keys = matches.map { _ in random.nextUInt64() }
    func smallest(_ count: Int, _ kind: (Int32) -> Bool) -> [Int] {
      Array(
        matches.indices.filter { kind(matches[$0]) }.sorted { keys[$0] < keys[$1] }.prefix(count)
      ).sorted()
    }
    let positives = smallest(sampler.mostPositives) { $0 >= 0 }
    return (
      positives, smallest(sampler.count - positives.count) { $0 == Tensor.background }
    )
  }
}
