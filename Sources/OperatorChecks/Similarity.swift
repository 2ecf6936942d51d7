import Baron
import Foundation
import Tensors

extension OperatorFamily {
  /// Similarities, the losses on them, and positions as features.
  static var similarity: OperatorFamily {
    let (rows, width) = (13, 21)
    let checks: [OperatorCheck] = [
      OperatorCheck(
        name: "cosine similarity", operators: ["cosineSimilarity"],
        shapes: [[rows, width], [9, width]],
        device: {
          try $0[0].l2Normalized().cosineSimilarity(try $0[1].l2Normalized(), temperature: 20)
        },
        host: { x in
          let units = x.map { HostReference.rows($0, width) { HostReference.unit($0) } }
          return HostReference.product(
            units[0], HostReference.transposed(units[1], 9, width), rows, width, 9
          ).map { 20 * $0 }
        }),
      OperatorCheck(
        name: "contrastive loss", operators: ["contrastiveLoss"],
        shapes: [[rows, width], [rows, width]], tolerance: 5e-4,
        device: {
          try $0[0].contrastiveLoss(
            keys: $0[1], temperature: 3, groups: (0..<13).map { Int32($0 / 2) },
            images: [Int32](repeating: 1, count: 13))
        },
        host: { x in
          let loss = ContrastiveReference(
            queries: x[0], keys: x[1], rows: rows, temperature: 3,
            isHidden: { $0 != $1 && $0 / 2 == $1 / 2 }
          ).loss
          return [loss]
        }),
      OperatorCheck(
        name: "sine positions", operators: ["sinePositions"], shapes: [[4]], range: 0...1,
        tolerance: 1e-3, hasGradient: false,
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
    ]
    let cases: [BenchCase] = [
      cosine("cosine/512x80", keys: 80, loss: false),
      cosine("cosine/512x1536", keys: 1536, loss: false),
      cosine("infonce/512x81", keys: 81, loss: true),
      cosine("infonce/512x1536", keys: 1536, loss: true),
      contrast, positions,
    ]
    return OperatorFamily(checks: checks, cases: cases)
  }

  private static func cosine(_ name: String, keys: Int, loss: Bool) -> BenchCase {
    let (queries, width) = (512, 512)
    let product = 2e-9 * Double(queries * keys * width)
    return BenchCase(
      name: name, gflop: (loss ? 2 : 1) * product,
      bytes: 4 * Double(queries * width + keys * width + queries * keys),
      shape: [("queries", [queries, width]), ("keys", [keys, width])]
    ) { stream in
      var values = BenchValues()
      let left = try values.tensor([queries, width], on: stream)
      let right = try values.tensor([keys, width], on: stream)
      guard loss else {
        return {
          _ = try left.l2Normalized().cosineSimilarity(try right.l2Normalized(), temperature: 1)
        }
      }
      let labels = try Tensor(
        values.integers(queries, below: keys), shape: [queries], on: stream)
      let leaf = left.trained("queries")
      return forwardAndBackward([leaf]) {
        try leaf.l2Normalized().cosineSimilarity(try right.l2Normalized(), temperature: 20)
          .softmaxCrossEntropy(labels: labels, divisor: Float(queries))
      }
    }
  }

  private static var contrast: BenchCase {
    let (rows, queue, width) = (128, 1024, 512)
    return BenchCase(
      name: "ours/contrastive_128x1152", gflop: 6e-9 * Double(rows * (rows + queue) * width),
      bytes: nil, shape: [("queries", [rows, width]), ("queue", [queue, width])]
    ) { stream in
      var values = BenchValues()
      let units = try [rows, rows, queue].map {
        try values.tensor([$0, width], on: stream).l2Normalized()
      }
      let leaf = units[0].trained("queries")
      let numbers = (0..<rows).map { Int32($0) }
      return forwardAndBackward([leaf]) {
        try leaf.contrastiveLoss(
          keys: units[1], queue: units[2], temperature: 30, groups: numbers, images: numbers,
          queueImages: (0..<queue).map { Int32(rows + $0) })
      }
    }
  }

  private static var positions: BenchCase {
    BenchCase(
      name: "ours/positions_512", gflop: nil, bytes: 4 * 512 * 516, shape: [("boxes", [512, 4])]
    ) { stream in
      var values = BenchValues()
      let boxes = (0..<4 * 512).map { _ in values.number(in: 0...1) }
      return {
        _ = try Tensor.sinePositions(boxes: boxes, features: 128, temperature: 20, on: stream)
      }
    }
  }
}

/// The InfoNCE loss of rows against keys and a queue, and its gradients, in float64.
package struct ContrastiveReference {
  /// The mean over the rows.
  package private(set) var loss = 0.0
  /// Gradients of queries and keys.
  package private(set) var queries: [Double]
  package private(set) var keys: [Double]

  /// Computes all of it.
  ///
  /// - Parameters:
  ///   - queries: `[rows, width]`; a row's own key has its number.
  ///   - keys: `[rows, width]`.
  ///   - rows: At least one.
  ///   - queue: `[entries, width]`; its rows are the keys `rows` and on.
  ///   - temperature: What products are multiplied by.
  ///   - isHidden: Whether a row is not compared with a key.
  package init(
    queries: [Double], keys: [Double], rows: Int, queue: [Double] = [], temperature: Double,
    isHidden: (_ query: Int, _ key: Int) -> Bool
  ) {
    let width = queries.count / rows
    let all = keys + queue
    self.queries = [Double](repeating: 0, count: queries.count)
    self.keys = [Double](repeating: 0, count: all.count)
    for query in 0..<rows {
      let candidates = (0..<all.count / width).filter { !isHidden(query, $0) }
      let scores = candidates.map { key in
        temperature
          * (0..<width).reduce(0) { $0 + queries[query * width + $1] * all[key * width + $1] }
      }
      for (key, logShare) in zip(candidates, HostReference.logSoftmax(scores)) {
        if key == query { loss -= logShare / Double(rows) }
        let slope = temperature * (exp(logShare) - (key == query ? 1 : 0)) / Double(rows)
        for c in 0..<width {
          self.queries[query * width + c] += slope * all[key * width + c]
          self.keys[key * width + c] += slope * queries[query * width + c]
        }
      }
    }
    self.keys.removeLast(queue.count)
  }
}
