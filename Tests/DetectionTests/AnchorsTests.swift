import Detection
import Formats
import Foundation
import Geometry
import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Anchor losses")
struct AnchorLossTests {
  /// Two levels, two images, fewer anchors drawn of the second image than of the first.
  private struct World {
    let generator = AnchorGenerator(strides: [8, 16], scales: [2], ratios: [0.5, 1])
    let maps = [(height: 5, width: 7), (height: 3, width: 4)]
    let truths = [
      [Box(x1: 2, y1: 3, x2: 30, y2: 22), Box(x1: 20, y1: 10, x2: 50, y2: 38)],
      [Box(x1: 0, y1: 0, x2: 9, y2: 12)],
    ]
    let positives = [[3, 40, 71, 90], [5]]
    let negatives = [[0, 8, 69, 70, 93], [2, 88]]
    let matched = [[0, 1, 0, 1], [0]]
    let anchors: [[Box]]

    init() {
      anchors = [0, 1].map { [generator, maps] in
        HostSampling.anchors(
          generator, level: $0, height: maps[$0].height, width: maps[$0].width)
      }
    }

    var total: Int { anchors[0].count + anchors[1].count }

    func sampled(on stream: ComputeStream) throws -> SampledAnchors {
      let rows = positives.indices.flatMap { image in
        var row = [Int32](repeating: Tensor.background, count: total)
        for (place, truth) in zip(positives[image], matched[image]) { row[place] = Int32(truth) }
        return row
      }
      return SampledAnchors(
        grid: AnchorGrid(
          anchors: try Tensor(anchors.flatMap(\.corners), shape: [total, 4], on: stream),
          counts: anchors.map(\.count)),
        sample: try SampledRows(positives: positives, negatives: negatives, on: stream),
        matches: try Tensor(rows, shape: [2, total], on: stream),
        truths: try TruthBoxes(truths, on: stream))
    }

    /// Level and place on it of an anchor.
    func place(_ anchor: Int) -> (level: Int, place: Int) {
      anchor < anchors[0].count ? (0, anchor) : (1, anchor - anchors[0].count)
    }

    var divisor: Double { 4 + 5 + 1 + 2 + 1.19e-7 }
  }

  private func maps(_ world: World, columns: Int, seed: UInt64) -> [[Float]] {
    world.anchors.map { randomFloats(2 * $0.count * columns, seed: seed, in: -3...3) }
  }

  private func check(
    _ loss: Tensor, _ maps: [Tensor], wanted: Double, gradients: [[Double]]
  ) throws {
    expectClose(try loss.floats(), [wanted], "loss")
    try loss.scaled(by: 3).backward()
    for (map, gradient) in zip(maps, gradients) {
      expectClose(try map.gradient?.floats() ?? [], gradient.map { 3 * $0 }, "gradient")
    }
  }

  @Test("objectness against a double reference", arguments: TestDevice.families)
  func objectness(family: DeviceFamily) throws {
    let world = World()
    let logits = maps(world, columns: 1, seed: 1)
    var loss = 0.0
    var gradients = logits.map { [Double](repeating: 0, count: $0.count) }
    for image in 0..<2 {
      for (list, target) in [(world.positives, 1.0), (world.negatives, 0.0)] {
        for anchor in list[image] {
          let (level, place) = world.place(anchor)
          let index = image * world.anchors[level].count + place
          let x = Double(logits[level][index])
          loss += log1p(exp(x)) - target * x
          gradients[level][index] = (1 / (1 + exp(-x)) - target) / world.divisor
        }
      }
    }
    try TestDevice.withStream(family) { stream in
      let leaves = try logits.enumerated().map { level, values in
        try Tensor(
          values, shape: [2, world.maps[level].height, world.maps[level].width, 2], on: stream
        ).trained("logits")
      }
      try check(
        try Tensor.anchorObjectnessLoss(leaves, try world.sampled(on: stream)), leaves,
        wanted: loss / world.divisor, gradients: gradients)
    }
  }

  @Test("deltas against a double reference", arguments: TestDevice.families)
  func deltas(family: DeviceFamily) throws {
    let world = World()
    let deltas = maps(world, columns: 4, seed: 2)
    var loss = 0.0
    var gradients = deltas.map { [Double](repeating: 0, count: $0.count) }
    for image in 0..<2 {
      for (anchor, truth) in zip(world.positives[image], world.matched[image]) {
        let (level, place) = world.place(anchor)
        let wanted = BoxCoder.anchors.encoded(
          world.truths[image][truth], from: world.anchors[level][place])
        for axis in 0..<4 {
          let index = 4 * (image * world.anchors[level].count + place) + axis
          let distance = Double(deltas[level][index]) - Double(wanted[axis])
          loss += abs(distance)
          gradients[level][index] = (distance > 0 ? 1 : -1) / world.divisor
        }
      }
    }
    try TestDevice.withStream(family) { stream in
      let leaves = try deltas.enumerated().map { level, values in
        try Tensor(
          values, shape: [2, world.maps[level].height, world.maps[level].width, 8], on: stream
        ).trained("deltas")
      }
      try check(
        try Tensor.anchorDeltaLoss(leaves, try world.sampled(on: stream)), leaves,
        wanted: loss / world.divisor, gradients: gradients)
    }
  }

  @Test("NaN outputs give a NaN loss and gradient", arguments: TestDevice.families)
  func invalid(family: DeviceFamily) throws {
    let world = World()
    try TestDevice.withStream(family) { stream in
      let sampled = try world.sampled(on: stream)
      func leaves(_ columns: Int) throws -> [Tensor] {
        try world.anchors.map {
          try Tensor(repeating: .nan, shape: [2, $0.count * columns], on: stream).trained("x")
        }
      }
      let (logits, deltas) = (try leaves(1), try leaves(4))
      for (loss, maps) in [
        (try Tensor.anchorObjectnessLoss(logits, sampled), logits),
        (try Tensor.anchorDeltaLoss(deltas, sampled), deltas),
      ] {
        #expect(try loss.floats()[0].isNaN)
        try loss.backward()
        for map in maps { #expect(try map.gradient?.floats().contains { $0.isNaN } == true) }
      }
    }
  }
}
