import Detection
import Geometry
import OpenCL
import OperatorChecks
import Tensors
import TestSupport
import Testing

@Suite("Non-maximum suppression")
struct NMSTests {
  /// Greedy suppression in float64.
  private func reference(
    _ boxes: [Float], _ scores: [Float], _ groups: [Int32]?, _ threshold: Double, _ limit: Int
  ) -> [Int32] {
    HostReference.suppressed(
      [Box](corners: boxes), scores.map(Double.init), groups: groups, threshold: threshold,
      limit: limit
    ).map { Int32($0) }
  }

  private func randomBoxes(_ count: Int, seed: UInt64) -> [Float] {
    let unit = randomFloats(4 * count, seed: seed, in: 0...1)
    return (0..<count).flatMap { index -> [Float] in
      let (x, y) = (80 * unit[4 * index], 60 * unit[4 * index + 1])
      return [x, y, x + 2 + 40 * unit[4 * index + 2], y + 2 + 40 * unit[4 * index + 3]]
    }
  }

  private func check(
    count: Int, groups groupCount: Int32?, threshold: Float, limit: Int?, on stream: ComputeStream
  ) throws {
    let boxes = randomBoxes(count, seed: UInt64(count))
    var scores = randomFloats(count, seed: UInt64(count + 1)).map { ($0 * 64).rounded() / 64 }
    for index in stride(from: 3, to: count, by: 17) { scores[index] = -.infinity }
    for index in stride(from: 5, to: count, by: 29) { scores[index] = .nan }
    let groups = groupCount.map { total in
      (0..<count).map { Int32($0 * $0) % total }
    }
    let wanted = reference(boxes, scores, groups, Double(threshold), limit ?? count)
    let result = try Tensor.nonMaximumSuppression(
      boxes: try Tensor(boxes, shape: [1, count, 4], on: stream),
      scores: try Tensor(scores, shape: [1, count], on: stream),
      groups: try groups.map { try Tensor($0, shape: [1, count], on: stream) },
      threshold: threshold, limit: limit)
    let size = min(limit ?? count, count)
    let title = "\(count) boxes, groups \(groupCount ?? 0), limit \(size)"
    #expect(try result.count.integers() == [Int32(wanted.count)], "\(title)")
    let padding = [Int32](repeating: -1, count: size - wanted.count)
    #expect(try result.indices.integers() == wanted + padding, "\(title)")
  }

  @Test("agrees with a float64 reference", arguments: TestDevice.families)
  func reference(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for count in [0, 1, 15, 16, 17, 31, 32, 33, 64, 65, 97, 127, 128, 129, 257, 331] {
        try check(count: count, groups: nil, threshold: 0.5, limit: nil, on: stream)
        try check(count: count, groups: 3, threshold: 0.3, limit: nil, on: stream)
        try check(count: count, groups: 5, threshold: 0.7, limit: 20, on: stream)
        try check(count: count, groups: nil, threshold: 0.7, limit: 0, on: stream)
      }
      try check(count: 2500, groups: 5, threshold: 0.7, limit: 1000, on: stream)
      // Hardly any box is suppressed, so that many rows are kept before the last block.
      try check(count: 2500, groups: 2500, threshold: 0.7, limit: nil, on: stream)
    }
  }

  @Test("on devices with small work-groups", arguments: [32, 64])
  func smallGroups(size: Int) throws {
    try TestDevice.withContext(family: .generic, largestWorkGroup: size) { context in
      let stream = try ComputeStream(context: context)
      for count in [33, 129, 331, 1200] {
        try check(count: count, groups: 3, threshold: 0.5, limit: nil, on: stream)
        try check(count: count, groups: 700, threshold: 0.5, limit: 500, on: stream)
      }
    }
  }

  @Test("only a strictly greater IoU suppresses", arguments: TestDevice.families)
  func strict(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      // IoU of the first two is exactly a half; the third equals the second.
      let boxes = try Tensor(
        [0, 0, 4, 2, 0, 0, 4, 4, 0, 0, 4, 4] as [Float], shape: [1, 3, 4], on: stream)
      let scores = try Tensor([3, 2, 1] as [Float], shape: [1, 3], on: stream)
      let result = try Tensor.nonMaximumSuppression(boxes: boxes, scores: scores, threshold: 0.5)
      #expect(try result.indices.integers() == [0, 1, -1])
    }
  }

  @Test("images of a batch do not see each other", arguments: TestDevice.families)
  func batches(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let (count, limit) = (150, 60)
      let boxes = (0..<3).map { randomBoxes(count, seed: 40 + $0) }
      let scores = (0..<3).map { randomFloats(count, seed: 50 + $0) }
      let groups = (0..<3 * count).map { Int32($0 % 2) }
      let result = try Tensor.nonMaximumSuppression(
        boxes: try Tensor(Array(boxes.joined()), shape: [3, count, 4], on: stream),
        scores: try Tensor(Array(scores.joined()), shape: [3, count], on: stream),
        groups: try Tensor(groups, shape: [3, count], on: stream), threshold: 0.3, limit: limit)
      let (indices, counts) = (try result.indices.integers(), try result.count.integers())
      for image in 0..<3 {
        let own = Array(groups[image * count..<(image + 1) * count])
        let wanted = reference(boxes[image], scores[image], own, 0.3, limit)
        #expect(Int(counts[image]) == wanted.count)
        let padding = [Int32](repeating: -1, count: limit - wanted.count)
        #expect(Array(indices[image * limit..<(image + 1) * limit]) == wanted + padding)
      }
    }
  }
}

@Suite("Suppression against peers", .enabled(if: Fixture.available, "no peer fixtures"))
struct NMSFixtureTests {
  @Test("kept boxes by falling score", arguments: TestDevice.families)
  func kept(family: DeviceFamily) throws {
    let files = Fixture.files("nms")
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let groups =
          fixture.has("group")
          ? try Tensor(
            fixture.integers("group"), shape: [1] + fixture.shape("group"), on: stream) : nil
        let (boxes, scores) = (
          try fixture.tensor("boxes", on: stream), try fixture.tensor("scores", on: stream)
        )
        let result = try Tensor.nonMaximumSuppression(
          boxes: boxes.reshaped([1] + boxes.shape), scores: scores.reshaped([1, scores.count]),
          groups: groups,
          threshold: Float(try fixture.number("iou_threshold")))
        let size = Int(try result.count.integers()[0])
        #expect(try Array(result.indices.integers().prefix(size)) == fixture.integers("keep"))
      }
    }
  }
}
