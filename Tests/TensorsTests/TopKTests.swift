import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Top k")
struct TopKTests {
  private func check(_ scores: [Float], k: Int, on stream: ComputeStream) throws {
    let wanted = scores.indices.sorted { left, right in
      let (a, b) = (scores[left], scores[right])
      if a.isNaN || b.isNaN { return a.isNaN == b.isNaN ? left < right : b.isNaN }
      return a == b ? left < right : a > b
    }.prefix(k)
    let result = try Tensor(scores, shape: [scores.count], on: stream).topK(k)
    let indices = try result.indices.integers()
    #expect(indices == wanted.map { Int32($0) }, "\(k) of \(scores.count)")
    let values = try result.values.floats()
    #expect(
      zip(values, wanted).allSatisfy { $0.bitPattern == scores[$1].bitPattern },
      "values, \(k) of \(scores.count)")
  }

  @Test("scores with ties, infinities, zeros and NaN", arguments: TestDevice.families)
  func order(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for count in [1, 2, 31, 255, 256, 257, 1009] {
        var scores = randomFloats(count, seed: UInt64(count))
        for k in [1, count / 2, count - 1, count, count + 5] where k > 0 {
          try check(scores, k: k, on: stream)
        }
        scores = scores.map { ($0 * 4).rounded() / 4 }
        for (index, special) in [-Float.infinity, .nan, .infinity, 0, -0.0, .nan].enumerated() {
          for place in stride(from: 7 * index, to: count, by: 61) { scores[place] = special }
        }
        for k in [1, count / 3, count / 2, count] where k > 0 {
          try check(scores, k: k, on: stream)
        }
      }
    }
  }

  @Test("equal scores keep their order", arguments: TestDevice.families)
  func allEqual(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      try check([Float](repeating: -3, count: 300), k: 17, on: stream)
    }
  }

  @Test("nothing from nothing", arguments: TestDevice.families)
  func empty(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      try check([], k: 3, on: stream)
      try check([1, 2], k: 0, on: stream)
    }
  }

  @Test("segments of several rows, each by itself", arguments: TestDevice.families)
  func segments(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let segments = RowSegments(lengths: [5000, 40, 0, 9, 3], limit: 12)
      #expect(segments.kept == [12, 12, 0, 9, 3] && segments.totalKept == 36)
      let (rows, total) = (3, segments.total)
      var scores = randomFloats(rows * total, seed: 6).map { ($0 * 500).rounded() / 500 }
      for place in stride(from: 0, to: scores.count, by: 97) { scores[place] = .nan }
      let found = try Tensor(scores, shape: [rows, total], on: stream).largest(of: segments)
      var wanted: [Int32] = []
      for row in 0..<rows {
        var start = 0
        for (length, kept) in zip(segments.lengths, segments.kept) {
          let best = (start..<start + length).sorted { left, right in
            let (a, b) = (scores[row * total + left], scores[row * total + right])
            if a.isNaN || b.isNaN { return a.isNaN == b.isNaN ? left < right : b.isNaN }
            return a == b ? left < right : a > b
          }
          wanted += best.prefix(kept).map { Int32($0) }
          start += length
        }
      }
      #expect(try found.indices.integers() == wanted)
      let values = try found.values.floats()
      #expect(
        wanted.enumerated().allSatisfy {
          values[$0].bitPattern == scores[$0 / 36 * total + Int($1)].bitPattern
        })
    }
  }

  @Test("the sizes of a real image")
  func large() throws {
    try TestDevice.withStream { stream in
      try check(randomFloats(300_000, seed: 4), k: 12000, on: stream)
      try check(randomFloats(200_400, seed: 5), k: 2000, on: stream)
    }
  }
}
