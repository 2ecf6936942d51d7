import Detection
import Formats
import Foundation
import Geometry
import Tensors

/// Checks of the assignment of ground truth, of samples and of the losses on them.
package enum SamplingChecks {
  package static var all: [OperatorCheck] { [matching, sampling, objectness, deltas] }

  private static let anchors: [Box] = (0..<48).map { index in
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
    try TruthBoxes(
      boxes: truths.map(\.corners), classes: truths.map { $0.map { _ in 0 } }, on: stream)
  }

  private static func grid(on stream: ComputeStream) throws -> AnchorGrid {
    AnchorGrid(
      anchors: try Tensor(anchors.corners, shape: [anchors.count, 4], on: stream),
      counts: [anchors.count])
  }

  private static var matching: OperatorCheck {
    OperatorCheck(
      name: "box matching", shapes: [[1]], hasGradient: false,
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
        truths.enumerated().flatMap { image, own -> [Double] in
          let valid = image == 0 ? 48 : 40
          let overlaps = anchors.prefix(valid).map { box in own.map { $0.iou(with: box) } }
          var found = overlaps.map { row -> Double in
            let best = row.max() ?? 0
            guard best < thresholds.positive else {
              return Double(row.firstIndex(of: best) ?? 0)
            }
            return best < thresholds.negative ? -1 : -2
          }
          for truth in own.indices {
            let best = overlaps.map { $0[truth] }.max() ?? 0
            for box in found.indices where best >= 0.3 && overlaps[box][truth] == best {
              found[box] = Double(truth)
            }
          }
          return found + [Double](repeating: -2, count: 48 - valid)
        }
      })
  }

  private static var sampling: OperatorCheck {
    let sampler = BalancedSampler(count: 30, positiveFraction: 0.4)
    func random(_ image: Int) -> CounterRandom { CounterRandom(seed: 3, UInt64(image)) }
    return OperatorCheck(
      name: "box sampling", shapes: [[2, 400]], hasGradient: false,
      device: {
        let matches = try $0[0].floats().map { Int32(kind($0)) }
        return try Tensor(matches, shape: [2, 400], on: $0[0].stream)
          .sampledRows(sampler, random: [random(0), random(1)]).rows
      },
      host: { x in
        (0..<2).flatMap { image -> [Double] in
          let kinds = x[0][image * 400..<(image + 1) * 400].map { kind(Float($0)) }
          var random = random(image)
          let keys = kinds.map { _ in random.nextUInt64() }
          func smallest(_ count: Int, _ wanted: Int) -> [Int] {
            kinds.indices.filter { kinds[$0] == wanted }.sorted { keys[$0] < keys[$1] }
              .prefix(count).sorted()
          }
          let positives = smallest(sampler.mostPositives, 0)
          return (positives + smallest(sampler.count - positives.count, -1)).map(Double.init)
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

  private static var objectness: OperatorCheck {
    OperatorCheck(
      name: "objectness loss", shapes: [[2, 6, 8, 1]], range: -3...3,
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
      name: "anchor delta loss", shapes: [[2, 6, 8, 4]], range: -3...3,
      device: { try Tensor.anchorDeltaLoss($0, try sampled(on: $0[0].stream)) },
      host: { x in
        let sum = positives.enumerated().reduce(0.0) { sum, list in
          list.element.reduce(sum) { sum, anchor in
            let wanted = BoxCoder.anchors.encoded(truths[list.offset][0], from: anchors[anchor])
            return (0..<4).reduce(sum) {
              $0 + abs(x[0][4 * (48 * list.offset + anchor) + $1] - Double(wanted[$1]))
            }
          }
        }
        return [sum / divisor]
      })
  }
}
