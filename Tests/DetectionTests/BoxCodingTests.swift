import Detection
import Formats
import Foundation
import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Box coding")
struct BoxCodingTests {
  private func randomBoxes(_ count: Int, seed: UInt64) -> [Float] {
    let unit = randomFloats(4 * count, seed: seed, in: 0...1)
    return (0..<count).flatMap { index -> [Float] in
      let (x, y) = (90 * unit[4 * index], 70 * unit[4 * index + 1])
      return [x, y, x + 1 + 40 * unit[4 * index + 2], y + 1 + 40 * unit[4 * index + 3]]
    }
  }

  private func centred(_ boxes: [Float], _ index: Int) -> [Double] {
    let b = boxes[4 * index..<4 * index + 4].map { Double($0) }
    return [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]]
  }

  @Test("decoding agrees with a float64 reference", arguments: TestDevice.families)
  func reference(family: DeviceFamily) throws {
    let coding = BoxCoding(means: [0.1, -0.2, 0.05, 0], deviations: [0.1, 0.2, 0.3, 2])
    try TestDevice.withStream(family) { stream in
      for count in [0, 1, 255, 257, 1009] {
        let boxes = randomBoxes(count, seed: 1)
        let deltas = randomFloats(4 * count, seed: 3, in: -3...3)
        let anchors = try Tensor(boxes, shape: [count, 4], on: stream)
        let moves = try Tensor(deltas, shape: [count, 4], on: stream)
        let free = try anchors.decodedBoxes(moves, coding: coding)
        let clipped = try anchors.decodedBoxes(moves, coding: coding, imageSize: (100, 80))
        var wantedBoxes: [Double] = []
        for index in 0..<count {
          let p = centred(boxes, index)
          let delta = (0..<4).map {
            Double(deltas[4 * index + $0]) * Double(coding.deviations[$0])
              + Double(coding.means[$0])
          }
          let limit = log(1000.0 / 16)
          let (x, y) = (p[0] + delta[0] * p[2], p[1] + delta[1] * p[3])
          let w = p[2] * exp(min(max(delta[2], -limit), limit)) / 2
          let h = p[3] * exp(min(max(delta[3], -limit), limit)) / 2
          wantedBoxes += [x - w, y - h, x + w, y + h]
        }
        expectClose(try free.floats(), wantedBoxes, "\(count) boxes")
        let inside = wantedBoxes.enumerated().map {
          min(max($1, 0), $0.isMultiple(of: 2) ? 100 : 80)
        }
        expectClose(try clipped.floats(), inside, "\(count) clipped boxes")
      }
    }
  }

  @Test("the best of each level, small ones marked", arguments: TestDevice.families)
  func bestOfLevels(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      // Two levels of the same three boxes; the second image is wider than the first.
      let boxes: [Float] = [0, 0, 4, 4, 10, 10, 12, 12, 50, 50, 54, 58]
      let result = try Tensor.bestDecodedBoxes(
        scores: try Tensor(
          [1, 3, 2, 1, 3, 2, 9, 1, 2, 1, 2, 3] as [Float], shape: [2, 6], on: stream),
        deltas: try Tensor(repeating: 0, shape: [2, 6, 4], on: stream),
        boxes: try Tensor(boxes + boxes, shape: [6, 4], on: stream),
        levels: RowSegments(lengths: [3, 3], limit: 2), coding: BoxCoding(),
        imageSizes: try Tensor([52, 100, 99, 100] as [Float], shape: [2, 2], on: stream),
        minimumSize: 2)
      #expect(try result.levels.integers() == [0, 0, 1, 1, 0, 0, 1, 1])
      // Box 1 is not larger than 2; box 2 is cut to a width of 2 in the first image.
      #expect(
        try result.scores.floats() == [
          -.infinity, -.infinity, -.infinity, -.infinity, 9, 2, 3, -.infinity,
        ])
      let (small, cut, whole): ([Float], [Float], [Float]) = (
        [10, 10, 12, 12], [50, 50, 52, 58], [50, 50, 54, 58]
      )
      let first = Array(boxes[..<4])
      expectClose(
        try result.boxes.floats(), small + cut + small + cut + first + whole + whole + small,
        "boxes")
      let kept = try Tensor([2, -1, 0, 2] as [Int32], shape: [2, 2], on: stream)
      let collected = try Tensor.collectedBoxes(
        try Tensor(boxes + boxes, shape: [2, 3, 4], on: stream),
        scores: try Tensor([1, 3, 2, 0, 1, -1] as [Float], shape: [2, 3], on: stream), kept: kept)
      let nothing = [Float](repeating: 0, count: 4)
      expectClose(try collected.boxes.floats(), whole + nothing + first + whole, "kept")
      expectClose(
        try collected.scores.floats(), [1 / (1 + exp(-2.0)), 0, 0.5, 1 / (1 + exp(1.0))],
        "probabilities")
    }
  }
}

@Suite("Box coding against peers", .enabled(if: Fixture.available, "no peer fixtures"))
struct BoxCodingFixtureTests {
  @Test("deltas and boxes", arguments: TestDevice.families)
  func coder(family: DeviceFamily) throws {
    let files = Fixture.files("rpn", prefix: "coder_")
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let coding = BoxCoding(
          means: (fixture.params["means"]?.array ?? []).compactMap { $0.number.map { Float($0) } },
          deviations: (fixture.params["stds"]?.array ?? []).compactMap {
            $0.number.map { Float($0) }
          }, maximumLogSize: Float(abs(log(try fixture.number("wh_ratio_clip")))))
        let size = (fixture.params["image_hw"]?.array ?? []).compactMap(\.number)
        let image = (width: Float(size[1]), height: Float(size[0]))
        let boxes = try fixture.tensor("boxes", on: stream)
        let encoded = try fixture.tensor("encoded", on: stream)
        let deltas = try fixture.tensor("deltas", on: stream)
        try fixture.expect(
          try boxes.decodedBoxes(deltas, coding: coding), equals: "decoded_unclipped")
        try fixture.expect(
          try boxes.decodedBoxes(deltas, coding: coding, imageSize: image), equals: "decoded")
        try fixture.expect(
          try boxes.decodedBoxes(encoded, coding: coding), equals: "roundtrip")
      }
    }
  }
}
