import Baron
import Detection
import Foundation
import Geometry
import OpenCL
import Tensors

/// Checks of losses, boxes and the optimizer.
package enum DetectionChecks {
  package static var all: [OperatorCheck] { losses + selection + updates }

  private static let (rows, width) = (13, 21)
  private static let labels: [Int32] = (0..<13).map { Int32($0 * 5 % 21) }

  private static func labels(for logits: Tensor) throws -> Tensor {
    try Tensor(labels, shape: [rows], on: logits.stream)
  }

  private static var losses: [OperatorCheck] {
    [
      OperatorCheck(
        name: "softmax cross-entropy", shapes: [[rows, width]], range: -3...3,
        device: { try $0[0].softmaxCrossEntropy(labels: try labels(for: $0[0]), divisor: 4) },
        host: { x in
          [
            (0..<rows).reduce(0) { sum, row in
              let logits = x[0][row * width..<(row + 1) * width]
              return sum + HostMath.logSumExp(logits)
                - x[0][row * width + Int(labels[row])]
            } / 4
          ]
        }),
      OperatorCheck(
        name: "sigmoid cross-entropy", shapes: [[rows, width]], range: -3...3,
        device: {
          try $0[0].sigmoidCrossEntropy(
            labels: try labels(for: $0[0]), classWeights: nil, divisor: 4)
        },
        host: { x in
          [
            x[0].indices.reduce(0) { sum, place in
              let target = Int(labels[place / width]) == place % width ? 1.0 : 0
              let logit = x[0][place]
              return sum + log(1 + exp(logit)) - target * logit
            } / 4
          ]
        }),
      OperatorCheck(
        name: "smooth L1", shapes: [[rows, 4]], range: -2...2,
        device: {
          try $0[0].smoothL1(
            try Tensor(repeating: 0.3, shape: [rows, 4], on: $0[0].stream), beta: 0.5, divisor: 3)
        },
        host: { x in
          [
            x[0].reduce(0) { sum, value in
              let apart = abs(value - Double(Float(0.3)))
              return sum + (apart < 0.5 ? apart * apart : apart - 0.25)
            } / 3
          ]
        }),
      OperatorCheck(
        name: "contrastive loss", shapes: [[rows, width], [rows, width]], tolerance: 5e-4,
        device: {
          try $0[0].contrastiveLoss(
            keys: $0[1], temperature: 3, groups: (0..<13).map { Int32($0 / 2) },
            images: [Int32](repeating: 1, count: 13))
        },
        host: { x in
          let logits = HostMath.product(
            x[0], HostMath.transposed(x[1], rows, width), rows, width, rows
          ).map { 3 * $0 }
          let total = (0..<rows).reduce(0.0) { sum, row in
            let kept = (0..<rows).filter { $0 == row || $0 / 2 != row / 2 }
            return sum + HostMath.logSumExp(kept.map { logits[row * rows + $0] })
              - logits[row * rows + row]
          }
          return [total / Double(rows)]
        }),
      OperatorCheck(
        name: "cosine similarity", shapes: [[rows, width], [9, width]],
        device: { try $0[0].cosineSimilarity($0[1], temperature: 20) },
        host: { x in
          let units = x.map { HostMath.rows($0, width) { HostMath.unit($0) } }
          return HostMath.product(
            units[0], HostMath.transposed(units[1], 9, width), rows, width, 9
          ).map { 20 * $0 }
        }),
    ]
  }

  private static var selection: [OperatorCheck] {
    let coding = BoxCoding(means: [0, 0, 0, 0], deviations: [0.1, 0.1, 0.2, 0.2])
    let anchors: [Float] = (0..<40).flatMap { index -> [Float] in
      let (x, y) = (Float(index % 8) * 9, Float(index / 8) * 11)
      return [x, y, x + 12 + Float(index % 5), y + 10 + Float(index % 7)]
    }
    let boxes = (0..<40).map { anchors[4 * $0..<4 * $0 + 4].map(Double.init) }
    return [
      OperatorCheck(
        name: "top-k", shapes: [[500]], hasGradient: false,
        device: { try $0[0].topK(37).indices },
        host: { x in
          x[0].indices.sorted { x[0][$0] > x[0][$1] }.prefix(37).map(Double.init)
        }),
      OperatorCheck(
        name: "non-maximum suppression", shapes: [[40]], hasGradient: false,
        device: { x in
          let kept = try Tensor.nonMaximumSuppression(
            boxes: try Tensor(anchors, shape: [1, 40, 4], on: x[0].stream),
            scores: x[0].reshaped([1, 40]), threshold: 0.15)
          return kept.indices
        },
        host: { x in
          let kept = HostMath.suppressed(boxes, x[0], 0.15).map(Double.init)
          return kept + [Double](repeating: -1, count: 40 - kept.count)
        }),
      OperatorCheck(
        name: "box decoding", shapes: [[40, 4]], hasGradient: false,
        device: {
          try Tensor(anchors, shape: [40, 4], on: $0[0].stream).decodedBoxes(
            $0[0], coding: coding, imageSize: (70, 60))
        },
        host: { x in
          boxes.enumerated().flatMap { index, box in
            let delta = (0..<4).map { x[0][4 * index + $0] * ($0 < 2 ? 0.1 : 0.2) }
            let (w, h) = (box[2] - box[0], box[3] - box[1])
            let (cx, cy) = (
              (box[0] + box[2]) / 2 + delta[0] * w, (box[1] + box[3]) / 2 + delta[1] * h
            )
            let (halfW, halfH) = (w * exp(delta[2]) / 2, h * exp(delta[3]) / 2)
            return [
              min(max(cx - halfW, 0), 70), min(max(cy - halfH, 0), 60),
              min(max(cx + halfW, 0), 70), min(max(cy + halfH, 0), 60),
            ]
          }
        }),
      OperatorCheck(
        name: "sine positions", shapes: [[4]], range: 0...1, tolerance: 1e-3, hasGradient: false,
        device: {
          try Tensor.sinePositions(
            boxes: try $0[0].floats(), features: 16, temperature: 1.2, on: $0[0].stream)
        },
        host: { x in
          x[0].flatMap { value in
            (0..<16).map { k in
              let frequency = pow(Double(Float(1.2)), Double(k / 2) - 4)
              let angle = 2 * Double.pi * value * frequency
              return k % 2 == 0 ? sin(angle) : cos(angle)
            }
          }
        }),
      OperatorCheck(
        name: "image input", shapes: [[1]], tolerance: 1e-5, hasGradient: false,
        device: {
          let image = ImageInput(
            pixels: pixels, view: ImageView(width: 5, height: 4, isFlipped: true))
          return try Tensor.imageBatch(
            [image],
            normalisation: PixelNormalisation(means: [10, 20, 30], deviations: [2, 3, 4]),
            paddedToMultipleOf: 8, on: $0[0].stream)
        },
        host: { _ in
          (0..<8 * 8 * 3).map { place in
            let (c, cell) = (place % 3, place / 3)
            let (y, x) = (cell / 8, cell % 8)
            guard y < 4, x < 5 else { return 0 }
            return (Double(pixels[(y * 5 + 4 - x) * 3 + c]) - Double(10 * (c + 1))) / Double(2 + c)
          }
        }),
    ]
  }

  private static let pixels: [UInt8] = (0..<60).map { UInt8($0 * 37 % 251) }

  private static var updates: [OperatorCheck] {
    func step(
      _ name: String, _ tolerance: Double, _ update: @escaping (Tensor, Tensor) throws -> Void,
      _ host: @escaping (Double, Double, [Double]) -> Double
    ) -> OperatorCheck {
      OperatorCheck(
        name: name, shapes: [[1000], [1000]], tolerance: tolerance, hasGradient: false,
        device: {
          let parameter = try $0[0].copied()
          try update(parameter, try $0[1].copied())
          return parameter
        }, host: { x in zip(x[0], x[1]).map { host($0, $1, x[1]) } })
    }
    return [
      step(
        "SGD", 1e-5,
        { parameter, gradient in
          try Optimizers.sgd(
            parameter: parameter, gradient: gradient,
            momentum: try Tensor(repeating: 0.5, shape: [1000], on: parameter.stream), rate: 0.1,
            momentumFactor: 0.9, weightDecay: 0.01)
        }, { p, g, _ in p - 0.1 * (0.45 + g + 0.01 * p) }),
      step(
        "AdamW", 1e-5,
        { parameter, gradient in
          let stream = parameter.stream
          try Optimizers.adamW(
            parameter: parameter, gradient: gradient,
            firstMoment: try Tensor(repeating: 0, shape: [1000], on: stream),
            secondMoment: try Tensor(repeating: 0, shape: [1000], on: stream), step: 1, rate: 0.1,
            weightDecay: 0.01)
        }, { p, g, _ in p * (1 - 0.001) - 0.1 * g / (abs(g) + 1e-8) }),
      step(
        "gradient clipping", 1e-4,
        { parameter, gradient in
          let factor = try Optimizers.norm(
            of: gradient, blocks: GradientBlocks([0..<1000], on: gradient.stream), limit: 2
          ).factor
          try Optimizers.sgd(
            parameter: parameter, gradient: gradient,
            momentum: try Tensor(repeating: 0, shape: [1000], on: parameter.stream),
            correction: GradientCorrection(factor: factor), rate: 1,
            momentumFactor: 0, weightDecay: 0)
        },
        { p, g, all in
          p - g * min(1, 2 / (all.reduce(0) { $0 + $1 * $1 }.squareRoot() + 1e-6))
        }),
    ]
  }
}
