import Detection
import Foundation
import Geometry
import Tensors

extension OperatorFamily {
  /// The best of many scores, boxes decoded, and boxes that overlap better ones left out.
  static var selection: OperatorFamily {
    let segments = [0..<50, 50..<57, 57..<90]
    let checks: [OperatorCheck] = [
      OperatorCheck(
        name: "top-k", operators: ["topK"], shapes: [[500]], hasGradient: false,
        device: { try $0[0].topK(37).indices },
        host: { x in
          x[0].indices.sorted { x[0][$0] > x[0][$1] }.prefix(37).map(Double.init)
        }),
      OperatorCheck(
        name: "top-k of segments", operators: ["largest"], shapes: [[2, 90]], hasGradient: false,
        device: { try $0[0].largest(of: RowSegments(lengths: [50, 7, 33], limit: 20)).indices },
        host: { x in
          (0..<2).flatMap { (row: Int) -> [Double] in
            let scores = x[0][90 * row..<90 * (row + 1)].map { $0 }
            return segments.flatMap { (segment: Range<Int>) -> [Double] in
              segment.sorted { scores[$0] > scores[$1] }.prefix(20).map(Double.init)
            }
          }
        }),
      OperatorCheck(
        name: "non-maximum suppression", operators: ["nonMaximumSuppression"], shapes: [[40]],
        hasGradient: false,
        device: { x in
          let kept = try Tensor.nonMaximumSuppression(
            boxes: try Tensor(references.corners, shape: [1, 40, 4], on: x[0].stream),
            scores: x[0].reshaped([1, 40]), threshold: 0.15)
          return kept.indices
        },
        host: { x in
          let kept = HostReference.suppressed(references, x[0], threshold: 0.15).map(Double.init)
          return kept + [Double](repeating: -1, count: 40 - kept.count)
        }),
      OperatorCheck(
        name: "box decoding", operators: ["decodedBoxes"], shapes: [[40, 4]], hasGradient: false,
        device: {
          try Tensor(references.corners, shape: [40, 4], on: $0[0].stream).decodedBoxes(
            $0[0], coding: coding, imageSize: (70, 60))
        }, host: { x in (0..<40).flatMap { decoded($0, by: x[0][(4 * $0)...]) } }),
      best,
    ]
    let cases: [BenchCase] = [
      BenchCase.elementwise("ours/top_k_2000_of_163200", [163_200], passes: 1) { x, _ in
        { _ = try x.topK(2000) }
      },
      BenchCase.elementwise("ours/decode_boxes_163200", [163_200, 4], passes: 3) { x, values in
        let corners = values.boxes(163_200, sides: 16...256, width: 1088, height: 800)
        let references = try Tensor(corners.corners, shape: x.shape, on: x.stream)
        return {
          _ = try references.decodedBoxes(
            x, coding: BoxCoding(), imageSize: (width: 1088, height: 800))
        }
      },
      nms,
    ]
    return OperatorFamily(checks: checks, cases: cases)
  }

  private static let coding = BoxCoding(means: [0, 0, 0, 0], deviations: [0.1, 0.1, 0.2, 0.2])
  private static let references: [Box] = (0..<40).map { index in
    let (x, y) = (Float(index % 8) * 9, Float(index / 8) * 11)
    let (width, height) = (12 + Float(index % 5), 10 + Float(index % 7))
    return Box(x: x, y: y, width: width, height: height)
  }

  /// An anchor moved by the first four numbers, within an image of 70 x 60.
  private static func decoded(_ anchor: Int, by numbers: ArraySlice<Double>) -> [Double] {
    let box = references[anchor].corners.map(Double.init)
    let delta = zip(numbers, [0.1, 0.1, 0.2, 0.2]).map { $0 * $1 }
    let (w, h) = (box[2] - box[0], box[3] - box[1])
    let (cx, cy) = ((box[0] + box[2]) / 2 + delta[0] * w, (box[1] + box[3]) / 2 + delta[1] * h)
    let (halfW, halfH) = (w * exp(delta[2]) / 2, h * exp(delta[3]) / 2)
    return [
      min(max(cx - halfW, 0), 70), min(max(cy - halfH, 0), 60),
      min(max(cx + halfW, 0), 70), min(max(cy + halfH, 0), 60),
    ]
  }

  /// The way of proposals: the best of each level decoded, and some of them collected.
  private static var best: OperatorCheck {
    // Places among the ten and eight best; of the last image fewer are kept.
    let kept: [[Int32]] = [[0, 11, 4, 17], [9, 2, -1, -1]]
    let smallest = 12.5
    return OperatorCheck(
      name: "best boxes decoded and collected", operators: ["bestDecodedBoxes", "collectedBoxes"],
      shapes: [[2, 40], [2, 40, 4]], hasGradient: false,
      device: { x in
        let stream = x[0].stream
        let best = try Tensor.bestDecodedBoxes(
          scores: x[0], deltas: x[1],
          boxes: try Tensor(references.corners, shape: [40, 4], on: stream),
          levels: RowSegments(lengths: [32, 8], limit: 10), coding: coding,
          imageSizes: try Tensor([70, 60, 70, 60] as [Float], shape: [2, 2], on: stream),
          minimumSize: Float(smallest))
        let found = try Tensor.collectedBoxes(
          best.boxes, scores: best.scores,
          kept: try Tensor(kept.flatMap { $0 }, shape: [2, 4], on: stream))
        return try Tensor.concatenated(
          [found.boxes, found.scores.reshaped([2, 4, 1])], axis: 2)
      },
      host: { x in
        kept.enumerated().flatMap { image, places -> [Double] in
          let scores = x[0][40 * image..<40 * (image + 1)].map { $0 }
          let order = [0..<32, 32..<40].flatMap { level in
            level.sorted { scores[$0] > scores[$1] }.prefix(10)
          }
          return places.flatMap { place -> [Double] in
            guard place >= 0 else { return [0, 0, 0, 0, 0] }
            let chosen = order[Int(place)]
            let box = decoded(chosen, by: x[1][(4 * (40 * image + chosen))...])
            let isLarge = box[2] - box[0] > smallest && box[3] - box[1] > smallest
            return box + [isLarge ? HostReference.sigmoid(scores[chosen]) : 0]
          }
        }
      })
  }

  private static var nms: BenchCase {
    BenchCase(
      name: "nms/2000", gflop: nil, bytes: 4 * 5 * 2000,
      shape: [("boxes", [2000]), ("groups", [5])]
    ) { stream in
      var values = BenchValues()
      let corners = values.boxes(2000, sides: 16...256, width: 1088, height: 800)
      let boxes = try Tensor(corners.corners, shape: [1, 2000, 4], on: stream)
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

extension HostReference {
  /// Greedy suppression of boxes that overlap better ones of their group.
  ///
  /// - Parameters:
  ///   - boxes: The boxes.
  ///   - scores: One per box; a box with -inf or NaN is left out.
  ///   - groups: Boxes of different groups do not see each other; nil for one group.
  ///   - threshold: An overlap above it suppresses.
  ///   - limit: How many are kept at most.
  /// - Returns: Indices by falling score, of equal ones the lower first.
  package static func suppressed(
    _ boxes: [Box], _ scores: [Double], groups: [Int32]? = nil, threshold: Double,
    limit: Int = .max
  ) -> [Int] {
    let boxes = boxes.map { box in
      let corners = box.corners.map(Double.init)
      return FileBox(x1: corners[0], y1: corners[1], x2: corners[2], y2: corners[3])
    }
    let order = scores.indices.filter { scores[$0] > -.infinity }.sorted {
      scores[$0] == scores[$1] ? $0 < $1 : scores[$0] > scores[$1]
    }
    var kept: [Int] = []
    for index in order where kept.count < limit {
      let overlaps = kept.contains { other in
        guard groups?[other] == groups?[index] else { return false }
        let shared = boxes[index].overlap(with: boxes[other])
        return shared / (boxes[index].area + boxes[other].area - shared) > threshold
      }
      if !overlaps { kept.append(index) }
    }
    return kept
  }
}
