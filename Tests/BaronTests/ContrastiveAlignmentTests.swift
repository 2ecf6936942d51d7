import Baron
import Foundation
import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Contrastive alignment")
struct ContrastiveAlignmentTests {
  /// Rows with the ids of their images, as a queue of so many rows keeps them.
  private struct HostQueue {
    let length: Int
    var rows: [[Double]] = []
    var images: [Int32] = []

    mutating func push(_ newest: [[Double]], _ ids: [Int32]) {
      rows = Array((newest + rows).prefix(length))
      images = Array((ids + images).prefix(length))
    }
  }

  /// The mean cross entropy of queries against keys and a queue, in float64.
  private static func oneWay(
    _ queries: [[Double]], _ keys: [[Double]], _ queue: HostQueue, temperature: Double,
    groups: [Int32], images: [Int32]
  ) -> Double {
    func logit(_ query: [Double], _ key: [Double]) -> Double {
      temperature * zip(query, key).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let losses = queries.indices.map { row in
      let inBatch = keys.indices.filter { $0 == row || groups[$0] != groups[row] }
        .map { logit(queries[row], keys[$0]) }
      let queued = queue.rows.indices.filter { queue.images[$0] != images[row] }
        .map { logit(queries[row], queue.rows[$0]) }
      let sum = (inBatch + queued).reduce(0) { $0 + exp($1) }
      return log(sum) - logit(queries[row], keys[row])
    }
    return losses.reduce(0, +) / Double(losses.count)
  }

  private static func unitRows(_ count: Int, width: Int, seed: UInt64) -> [[Double]] {
    let values = randomFloats(count * width, seed: seed, in: -1...1).map(Double.init)
    return (0..<count).map { row in
      let cells = values[row * width..<(row + 1) * width]
      let length = cells.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return cells.map { $0 / length }
    }
  }

  /// Losses and gradients of several steps whose queues fill up at different times.
  @Test(
    "queues of two lengths, against float64",
    arguments: [(student: 3, teacher: 9), (student: 10, teacher: 4), (student: 0, teacher: 6)])
  func unequalQueues(lengths: (student: Int, teacher: Int)) throws {
    let (count, width, weight, temperature) = (5, 6, 0.75, 4.0)
    let groups: [Int32] = [0, 0, 1, 2, 2]
    try TestDevice.withStream { stream in
      var alignment = ContrastiveAlignment(
        weight: Float(weight), temperature: Float(temperature), queues: "rows",
        lengths: QueueLengths(student: lengths.student, teacher: lengths.teacher))
      var student = HostQueue(length: lengths.student)
      var teacher = HostQueue(length: lengths.teacher)
      for step in 0..<4 {
        // Every second step sees the images of the first again.
        let images: [Int32] = [1, 1, 1, 2, 2].map { $0 + 2 * Int32(step % 2) }
        let rows = Self.unitRows(count, width: width, seed: UInt64(2 * step))
        let keys = Self.unitRows(count, width: width, seed: UInt64(2 * step + 1))
        func reference(_ rows: [[Double]]) -> Double {
          func oneWay(_ queries: [[Double]], _ keys: [[Double]], _ queue: HostQueue) -> Double {
            Self.oneWay(
              queries, keys, queue, temperature: temperature, groups: groups, images: images)
          }
          return 0.5 * weight * (oneWay(rows, keys, teacher) + oneWay(keys, rows, student))
        }
        func tensor(_ rows: [[Double]]) throws -> Tensor {
          try Tensor(
            rows.flatMap { $0.map { Float($0) } }, shape: [count, width], on: stream)
        }
        let leaf = try tensor(rows).trained("rows")
        let loss = try alignment.loss(
          student: leaf, teacher: try tensor(keys), groups: groups, images: images)
        expectClose(
          try loss.floats(), [Float(reference(rows))], relative: 1e-5, "loss of step \(step)")
        try loss.backward()
        let slopes = (0..<count * width).map { index in
          let step = 1e-5
          func moved(_ by: Double) -> Double {
            var rows = rows
            rows[index / width][index % width] += by
            return reference(rows)
          }
          return Float((moved(step) - moved(-step)) / (2 * step))
        }
        expectClose(
          try #require(try leaf.gradient?.floats()), slopes, relative: 1e-4, absolute: 1e-5,
          "gradient of step \(step)")
        student.push(rows, images)
        teacher.push(keys, images)
        #expect(alignment.student.images == student.images)
        #expect(alignment.teacher.images == teacher.images)
      }
      #expect(alignment.student.name == "student_rows" && alignment.teacher.name == "teacher_rows")
    }
  }
}
