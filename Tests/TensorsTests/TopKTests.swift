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

  @Test("the sizes of a real image")
  func large() throws {
    try TestDevice.withStream { stream in
      try check(randomFloats(300_000, seed: 4), k: 12000, on: stream)
      try check(randomFloats(200_400, seed: 5), k: 2000, on: stream)
    }
  }
}
