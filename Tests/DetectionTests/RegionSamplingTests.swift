import Formats
import Geometry
import Layers
import Tensors
import TestSupport
import Testing

@testable import Detection

@Suite(.serialized)
struct RegionSamplingTests {
  @Test(.needsFixtures, arguments: Fixture.files("roi", prefix: "loss"))
  func lossesMatchPeers(_ name: String) throws {
    let fixture = try Fixture(name)
    try TestDevice.withStream { stream in
      let targets = try FixtureRegions(fixture, on: stream).targets(BoxCoder.proposals.coding)
      #expect(try targets.labels.integers() == fixture.integers("labels"))
      let head = try head(
        on: stream, activation: fixture.params["sigmoid"]?.bool == true ? .sigmoid : .softmax)
      let logits = try fixture.tensor("logits", on: stream).trained("logits")
      let deltas = try fixture.tensor("deltas", on: stream).trained("deltas")
      let losses = try head.losses(
        logits: logits, deltas: deltas, targets: targets,
        classWeights: try fixture.floats("class_weight"))
      try fixture.expect(losses.classification, equals: "loss_cls")
      try fixture.expect(losses.box, equals: "loss_bbox")
      try losses.classification.adding(losses.box).backward()
      try fixture.expect(logits.gradient, equals: "grad_logits")
      try fixture.expect(deltas.gradient, equals: "grad_deltas")
    }
  }

  @Test(.needsFixtures, arguments: Fixture.files("roi", prefix: "loss"))
  func ownDrawHasAsManyOfEachKind(_ name: String) throws {
    let fixture = try Fixture(name)
    var rule = RegionSampling()
    rule.rois = try #require(fixture.params["sampler"]?["num"]?.integer)
    rule.positiveFraction = Float(
      try #require(fixture.params["sampler"]?["positive_fraction"]?.number))
    rule.overlap = Float(try #require(fixture.params["assigner"]?["pos_iou_thr"]?.number))
    rule.matchLowQuality =
      fixture.params["assigner"]?["match_low_quality"]?.bool ?? false
    try TestDevice.withStream { stream in
      let images = try FixtureRegions(fixture, on: stream)
      let proposals = try Proposals(
        images.numbers.map { [Box](corners: try fixture.floats("proposals\($0)")) }, on: stream)
      let own = try rule.sample(
        proposals, truths: images.truths, background: try fixture.integer("background"),
        readsPositives: true, random: images.numbers.map { CounterRandom(seed: 9, UInt64($0)) }
      ).targets()
      for image in images.numbers {
        let positives = try fixture.integers("pos\(image)").count
        #expect(own.positiveCounts[image] == positives)
        #expect(try own.counts[image] == positives + fixture.integers("neg\(image)").count)
        #expect(own.positives[image].count == positives)
      }
    }
  }

  private func head(
    on stream: ComputeStream, activation: ClassActivation
  ) throws -> BoxHead {
    var shape = BoxHeadConfiguration()
    (shape.kind, shape.words, shape.activation) = (.c4, 1, activation)
    return try BoxHead(
      ParameterStore(stream: stream, seed: 1).root, shape,
      BoxHeadWidths(input: 1, side: 7, text: TextWidths(word: 1, embedding: 1)))
  }

  @Test func fewCandidatesLeaveNoEmptyRows() throws {
    let (near, far) = (Box(x1: 1, y1: 0, x2: 10, y2: 10), Box(x1: 50, y1: 0, x2: 60, y2: 10))
    let truth = Box(x1: 0, y1: 0, x2: 10, y2: 10)
    try TestDevice.withStream { stream in
      let targets = try RegionSampling().sample(
        try Proposals([[near, far], [far], []], rows: 5, on: stream),
        truths: try TruthBoxes([[truth], [], [truth]], classes: [[3], [], [4]], on: stream),
        background: 7, readsPositives: true,
        random: (0..<3).map { CounterRandom(seed: 1, UInt64($0)) }
      ).targets()
      #expect(targets.counts == [3, 1, 1] && targets.positiveCounts == [2, 0, 1])
      #expect(try targets.labels.integers() == [3, 3, 7, 7, 4])
      #expect(targets.positiveRows == [0, 1, 4])
      let regions = try targets.regions.floats()
      #expect((0..<5).map { regions[5 * $0] } == [0, 0, 0, 1, 2])
      #expect(Array(regions[6..<10]) == [near].corners)
      #expect(
        targets.positives == [
          [.init(box: truth, truth: 0), .init(box: near, truth: 0)], [],
          [.init(box: truth, truth: 0)],
        ])
      let deltas = try targets.deltas.floats()
      expectClose(Array(deltas[4..<8]), BoxCoder.proposals.encoded(truth, from: near), "delta")
      #expect(deltas[8..<16].allSatisfy { $0 == 0 })
    }
  }

  @Test func drawsDependOnTheImageAloneNotOnItsBatch() throws {
    var rule = RegionSampling()
    rule.rois = 8
    let boxes = (0..<40).map { Box(x1: Float($0), y1: 0, x2: Float($0) + 12, y2: 9) }
    try TestDevice.withStream { stream in
      func regions(_ images: [(truths: [Box], id: UInt64)]) throws -> [Float] {
        let drawn = try rule.sample(
          try Proposals(images.map { _ in boxes }, rows: 50, on: stream),
          truths: try TruthBoxes(images.map(\.truths), on: stream), background: 1,
          readsPositives: false, random: images.map { CounterRandom(seed: 4, $0.id) }
        ).targets()
        #expect(drawn.positives.isEmpty)
        let rows = try drawn.regions.floats()
        return (0..<8).flatMap { rows[5 * $0 + 1..<5 * $0 + 5] }
      }
      let own = (truths: [boxes[3]], id: UInt64(5))
      let alone = try regions([own])
      #expect(try regions([own, (Array(boxes[..<6]), 6)]) == alone)
      #expect(try regions([(own.truths, 6)]) != alone)
    }
  }

  @Test func imagesWithoutObjectsGiveBackgroundOnly() throws {
    try TestDevice.withStream { stream in
      let targets = try RegionSampling().sample(
        try Proposals([[Box(x1: 0, y1: 0, x2: 5, y2: 5)]], on: stream),
        truths: try TruthBoxes([[]], on: stream), background: 7, readsPositives: false,
        random: [CounterRandom(seed: 1)]
      ).targets()
      #expect(try targets.labels.integers() == [7])
      #expect(targets.positiveCounts == [0])
      let head = try head(on: stream, activation: .softmax)
      let logits = try Tensor(repeating: 0, shape: [1, 8], on: stream).trained("logits")
      let deltas = try Tensor(repeating: 1, shape: [1, 4], on: stream).trained("deltas")
      let losses = try head.losses(
        logits: logits, deltas: deltas, targets: targets,
        classWeights: head.configuration.classWeights(
          isBase: [true, true, true, true, true, true, false]))
      #expect(try losses.box.floats() == [0])
      try losses.classification.adding(losses.box).backward()
      #expect(try deltas.gradient?.floats() == [0, 0, 0, 0])
    }
  }
}
