import Detection
import Formats
import Layers
import Tensors
import TestSupport
import Testing

@Suite(.serialized)
struct RegionSamplingTests {
  @Test(.needsFixtures, arguments: Fixture.files("roi", prefix: "loss"))
  func lossesMatchPeers(_ name: String) throws {
    let fixture = try Fixture(name)
    var rule = RegionSampling()
    rule.samples = try #require(fixture.params["sampler"]?["num"]?.integer)
    rule.positiveFraction = Float(
      try #require(fixture.params["sampler"]?["positive_fraction"]?.number))
    rule.overlap = Float(try #require(fixture.params["assigner"]?["pos_iou_thr"]?.number))
    rule.matchesLowQuality =
      fixture.params["assigner"]?["match_low_quality"]?.bool ?? false
    let classes = try fixture.integer("num_classes")
    var samples: [RegionTargets] = []
    for image in fixture.numbered("gt").indices {
      let truth = TargetBoxes(
        boxes: [Box](corners: try fixture.floats("gt\(image)")),
        labels: try fixture.integers("gt_labels\(image)").map { Int($0) })
      let proposals = [Box](corners: try fixture.floats("proposals\(image)"))
      // The peer's own draw, with our matches.
      let (positives, negatives) = (
        try fixture.integers("pos\(image)").map { Int($0) },
        try fixture.integers("neg\(image)").map { Int($0) }
      )
      let matches = rule.matches(proposals: proposals, groundTruth: truth)
      #expect(try positives.map { matches[$0] } == fixture.integers("pos_gt\(image)"))
      #expect(negatives.allSatisfy { matches[$0] == Matcher.background })
      let sample = RegionTargets(
        candidates: truth.boxes + proposals, matches: matches,
        sample: BalancedSampler.Sample(positives: positives, negatives: negatives),
        truths: truth.boxes, labels: truth.labels.map { Int32($0) }, background: Int32(classes),
        coder: .proposals)
      #expect(try sample.boxes.corners == fixture.floats("rois\(image)"))
      samples.append(sample)
      // Our own draw has as many of each kind.
      var random = CounterRandom(seed: 9, UInt64(image))
      let own = rule.sample(
        proposals: proposals, groundTruth: truth, classes: classes, random: &random)
      #expect(own.positiveCount == sample.positiveCount)
      #expect(own.boxes.count == sample.boxes.count)
    }
    #expect(try samples.flatMap(\.labels) == fixture.integers("labels"))

    try TestDevice.withStream { stream in
      var shape = BoxHeadConfiguration()
      shape.trunk = .averagePool
      (shape.inputWidth, shape.words, shape.wordWidth, shape.embeddingWidth) = (1, 1, 1, 1)
      shape.activation = fixture.params["sigmoid"]?.bool == true ? .sigmoid : .softmax
      let head = try BoxHead(ParameterStore(stream: stream, seed: 1).root, shape)
      let logits = try fixture.tensor("logits", on: stream).trained("logits")
      let deltas = try fixture.tensor("deltas", on: stream).trained("deltas")
      let losses = try head.losses(
        logits: logits, deltas: deltas, samples: samples,
        classWeights: try fixture.floats("class_weight"))
      try fixture.expect(losses.classification, equals: "loss_cls")
      try fixture.expect(losses.box, equals: "loss_bbox")
      try losses.classification.adding(losses.box).backward()
      try fixture.expect(logits.gradient, equals: "grad_logits")
      try fixture.expect(deltas.gradient, equals: "grad_deltas")
    }
  }

  @Test func imagesWithoutObjectsGiveBackgroundOnly() throws {
    var random = CounterRandom(seed: 1)
    let sample = RegionSampling().sample(
      proposals: [Box(x1: 0, y1: 0, x2: 5, y2: 5)], groundTruth: TargetBoxes(boxes: [], labels: []),
      classes: 7, random: &random)
    #expect(sample.labels == [7])
    #expect(sample.positiveCount == 0)
    try TestDevice.withStream { stream in
      var shape = BoxHeadConfiguration()
      shape.trunk = .averagePool
      (shape.inputWidth, shape.words, shape.wordWidth, shape.embeddingWidth) = (1, 1, 1, 1)
      let head = try BoxHead(ParameterStore(stream: stream, seed: 1).root, shape)
      let logits = try Tensor(repeating: 0, shape: [1, 8], on: stream).trained("logits")
      let deltas = try Tensor(repeating: 1, shape: [1, 4], on: stream).trained("deltas")
      let losses = try head.losses(
        logits: logits, deltas: deltas, samples: [sample],
        classWeights: shape.classWeights(
          isBase: [true, true, true, true, true, true, false]))
      #expect(try losses.box.floats() == [0])
      try losses.classification.adding(losses.box).backward()
      #expect(try deltas.gradient?.floats() == [0, 0, 0, 0])
    }
  }
}
