import Detection
import Foundation
import Tensors

extension OperatorFamily {
  /// Losses of classes, masks and boxes.
  static var losses: OperatorFamily {
    let checks: [OperatorCheck] = [
      OperatorCheck(
        name: "softmax cross-entropy", operators: ["softmaxCrossEntropy"],
        shapes: [[samples, classes]],
        range: -3...3,
        device: { try $0[0].softmaxCrossEntropy(labels: try labels(for: $0[0]), divisor: 4) },
        host: { x in
          [
            (0..<samples).reduce(0) { sum, row in
              let logits = x[0][row * classes..<(row + 1) * classes]
              return sum + HostReference.logSumExp(logits)
                - x[0][row * classes + Int(labels[row])]
            } / 4
          ]
        }),
      OperatorCheck(
        name: "sigmoid cross-entropy", operators: ["sigmoidCrossEntropy"],
        shapes: [[samples, classes]],
        range: -3...3,
        device: {
          try $0[0].sigmoidCrossEntropy(
            labels: try labels(for: $0[0]), classWeights: nil, divisor: 4)
        },
        host: { x in
          [
            x[0].indices.reduce(0) { sum, place in
              let target = Int(labels[place / classes]) == place % classes ? 1.0 : 0
              let logit = x[0][place]
              return sum + log(1 + exp(logit)) - target * logit
            } / 4
          ]
        }),
      OperatorCheck(
        name: "binary cross-entropy", operators: ["binaryCrossEntropy"],
        shapes: [[samples, classes]],
        range: -3...3,
        device: { try $0[0].binaryCrossEntropy(targets: targets.map { Float($0) }, divisor: 4) },
        host: { x in
          [zip(x[0], targets).reduce(0) { $0 + HostReference.binaryLoss($1.0, $1.1) } / 4]
        }),
      OperatorCheck(
        name: "soft-target cross-entropy", operators: ["softTargetCrossEntropy"],
        shapes: [[samples, classes]], range: -3...3,
        device: {
          try $0[0].softTargetCrossEntropy(
            try Tensor(targets.map { Float($0) }, shape: [samples, classes], on: $0[0].stream))
        },
        host: { x in
          let total = (0..<samples).reduce(0.0) { sum, row in
            let places = row * classes..<(row + 1) * classes
            let logarithms = HostReference.logSoftmax(x[0][places])
            let loss = zip(logarithms, targets[places]).reduce(0) { $0 - $1.0 * $1.1 }
            return sum + loss / (targets[places].reduce(0, +) + 1e-6)
          }
          return [total / Double(samples)]
        }),
      OperatorCheck(
        name: "smooth L1", operators: ["smoothL1"], shapes: [[samples, 4]], range: -2...2,
        device: {
          try $0[0].smoothL1(
            try Tensor(repeating: 0.3, shape: [samples, 4], on: $0[0].stream), beta: 0.5, divisor: 3
          )
        },
        host: { x in
          [
            x[0].reduce(0) { sum, value in
              let apart = abs(value - Double(Float(0.3)))
              return sum + (apart < 0.5 ? apart * apart : apart - 0.25)
            } / 3
          ]
        }),
    ]
    let cases: [BenchCase] = [
      BenchCase.elementwise("cross_entropy/1024x1204", [1024, 1204], passes: 2) { x, values in
        let labels = try Tensor(
          values.integers(1024, below: 1204), shape: [1024], on: x.stream)
        let logits = x.trained("logits")
        return forwardAndBackward([logits]) {
          try logits.softmaxCrossEntropy(labels: labels, divisor: 1024)
        }
      },
      BenchCase.elementwise("ours/smooth_l1_128x4", [128, 4], passes: 3) { x, values in
        let target = try values.tensor(x.shape, on: x.stream)
        let leaf = x.trained("deltas")
        return forwardAndBackward([leaf]) { try leaf.smoothL1(target, beta: 1, divisor: 512) }
      },
    ]
    return OperatorFamily(checks: checks, cases: cases)
  }

  private static let (samples, classes) = (13, 21)
  private static let labels: [Int32] = (0..<13).map { Int32($0 * 5 % 21) }
  /// Soft targets from 0 to 1; one of three is 0.
  private static let targets: [Double] = (0..<13 * 21).map { (place: Int) -> Double in
    place % 3 == 0 ? 0 : Double(place * 37 % 64) / 64
  }

  private static func labels(for logits: Tensor) throws -> Tensor {
    try Tensor(labels, shape: [samples], on: logits.stream)
  }
}

extension HostReference {
  /// The binary cross entropy of one logit.
  package static func binaryLoss(_ logit: Double, _ target: Double) -> Double {
    max(logit, 0) - logit * target + log1p(exp(-abs(logit)))
  }
}
