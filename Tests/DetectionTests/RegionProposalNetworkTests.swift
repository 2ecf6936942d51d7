import Detection
import Formats
import Layers
import Tensors
import TestSupport
import Testing

@Suite(.serialized)
struct RegionProposalNetworkTests {
  /// The configuration that a fixture's parameters describe.
  private func configuration(_ fixture: Fixture) throws -> RegionProposalConfiguration {
    var shape = RegionProposalConfiguration()
    shape.strides = try fixture.numbers("anchors", "strides").map { Int($0) }
    shape.anchorScales = try fixture.numbers("anchors", "scales").map { Float($0) }
    shape.anchorRatios = try fixture.numbers("anchors", "ratios").map { Float($0) }
    shape.isDetached = fixture.params["detached"]?.bool ?? false
    if let assigner = fixture.params["assigner"] {
      shape.positiveOverlap = Float(try #require(assigner["pos_iou_thr"]?.number))
      shape.negativeOverlap = Float(try #require(assigner["neg_iou_thr"]?.number))
      shape.lowQualityOverlap = Float(try #require(assigner["min_pos_iou"]?.number))
    }
    if let sampler = fixture.params["sampler"] {
      shape.samples = try #require(sampler["num"]?.integer)
      shape.positiveFraction = Float(try #require(sampler["positive_fraction"]?.number))
    }
    return shape
  }

  private func samples(_ fixture: Fixture) throws -> [AnchorSample] {
    try fixture.numbered("gt").indices.map { image in
      AnchorSample(
        positives: try fixture.integers("pos\(image)").map { Int($0) },
        negatives: try fixture.integers("neg\(image)").map { Int($0) },
        targets: try fixture.floats("pos_targets\(image)"))
    }
  }

  @Test(.needsFixtures, arguments: Fixture.files("rpn", prefix: "loss"))
  func matchesPeers(_ name: String) throws {
    let fixture = try Fixture(name)
    var shape = try configuration(fixture)
    shape.inputWidth = try fixture.shape("x0")[1]
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 1)
      let network = try RegionProposalNetwork(store.root, shape)
      let model = ModelFixture(fixture: fixture, store: store)
      try model.load()
      let keys = fixture.numbered("x")
      let maps = try keys.map { try fixture.tensor($0, on: stream).trained($0) }
      let output = try network(maps)
      for level in maps.indices {
        try fixture.expect(output.logits[level], equals: "cls\(level)")
        try fixture.expect(output.deltas[level], equals: "reg\(level)")
      }
      let losses = try network.losses(output, try samples(fixture))
      try fixture.expect(losses.objectness, equals: "loss_cls")
      try fixture.expect(losses.box, equals: "loss_bbox")
      try losses.objectness.adding(losses.box).backward()
      for (map, key) in zip(maps, keys) {
        try fixture.expectGradient(of: map, equals: "grad_\(key)")
      }
      try model.expectGradients()
    }
  }

  @Test(.needsFixtures, arguments: Fixture.files("rpn", prefix: "loss"))
  func lossGradientsAtTheOutputsMatchPeers(_ name: String) throws {
    let fixture = try Fixture(name)
    let shape = try configuration(fixture)
    try TestDevice.withStream { stream in
      let network = try RegionProposalNetwork(
        ParameterStore(stream: stream, seed: 1).root, shape)
      let output = RegionProposalOutput(
        logits: try fixture.numbered("cls").map { try fixture.tensor($0, on: stream).trained($0) },
        deltas: try fixture.numbered("reg").map { try fixture.tensor($0, on: stream).trained($0) })
      let losses = try network.losses(output, try samples(fixture))
      try losses.objectness.adding(losses.box).backward()
      for level in output.logits.indices {
        for (tensor, key) in [
          (output.logits[level], "grad_cls\(level)"), (output.deltas[level], "grad_reg\(level)"),
        ] {
          try fixture.expectGradient(of: tensor, equals: key)
        }
      }
    }
  }

  @Test(.needsFixtures, arguments: Fixture.files("rpn", prefix: "loss"))
  func samplesTheAnchorsThatPeersMatch(_ name: String) throws {
    let fixture = try Fixture(name)
    let shape = try configuration(fixture)
    let size = try #require(fixture.params["image_hw"]?.array).compactMap(\.integer)
    try TestDevice.withStream { stream in
      let network = try RegionProposalNetwork(
        ParameterStore(stream: stream, seed: 1).root, shape)
      let maps = try fixture.numbered("x").map { try fixture.tensor($0, on: stream) }
      let grid = AnchorGrid(network.anchors, maps: maps)
      for (image, wanted) in try samples(fixture).enumerated() {
        let truths = [Box](corners: try fixture.floats("gt\(image)"))
        var random = CounterRandom(seed: 3, UInt64(image))
        let sample = network.sample(
          grid, frame: ImageFrame(imageID: image, width: size[1], height: size[0]),
          groundTruth: truths, random: &random)
        #expect(sample.negatives.count == wanted.negatives.count)
        #expect(Set(sample.positives).isDisjoint(with: sample.negatives))
        let matched = try fixture.integers("pos_gt\(image)")
        let targets = zip(wanted.positives, matched).flatMap {
          BoxCoder.anchors.encoded(truths[Int($1)], from: grid.boxes[$0])
        }
        expectClose(targets, wanted.targets, "\(name) pos_targets\(image)")
        // Below the limit all positives are taken.
        if Float(wanted.positives.count) < Float(shape.samples) * shape.positiveFraction {
          #expect(sample.positives == wanted.positives.sorted())
        }
      }
    }
  }

  @Test(.needsFixtures, arguments: Fixture.files("rpn", prefix: "proposals"))
  func proposalsMatchPeers(_ name: String) throws {
    let fixture = try Fixture(name)
    var shape = try configuration(fixture)
    shape.overlap = Float(try fixture.number("nms_iou"))
    let size = try #require(fixture.params["image_hw"]?.array).compactMap(\.integer)
    try TestDevice.withStream { stream in
      let network = try RegionProposalNetwork(
        ParameterStore(stream: stream, seed: 1).root, shape)
      let output = RegionProposalOutput(
        logits: try fixture.numbered("cls").map { try fixture.tensor($0, on: stream) },
        deltas: try fixture.numbered("reg").map { try fixture.tensor($0, on: stream) })
      let found = try network.proposals(
        output, AnchorGrid(network.anchors, maps: output.logits),
        frames: [ImageFrame(imageID: 0, width: size[1], height: size[0])],
        limits: ProposalLimits(
          perLevel: try fixture.integer("nms_pre"), total: try fixture.integer("max_per_img")))
      let proposals = try #require(found.first)
      for (got, key) in [(proposals.boxes.corners, "boxes"), (proposals.scores, "scores")] {
        expectClose(
          got, try fixture.floats(key), relative: fixture.relative, absolute: fixture.absolute,
          "\(name) \(key)")
      }
    }
  }

  @Test func imagesWithoutObjectsHaveNoBoxLoss() throws {
    var shape = RegionProposalConfiguration()
    (shape.inputWidth, shape.strides) = (2, [8, 16])
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 1)
      let network = try RegionProposalNetwork(store.root, shape)
      let maps = try [(4, 6), (2, 3)].map { height, width in
        try Tensor(
          randomFloats(2 * height * width * 2, seed: 5), shape: [2, height, width, 2], on: stream)
      }
      let grid = AnchorGrid(network.anchors, maps: maps)
      var random = CounterRandom(seed: 1)
      let frame = ImageFrame(imageID: 1, width: 20, height: 30)
      let sample = network.sample(grid, frame: frame, groundTruth: [], random: &random)
      #expect(sample.positives.isEmpty)
      let valid = grid.isValid(in: frame)
      #expect(sample.negatives.allSatisfy { valid[$0] })
      let losses = try network.losses(try network(maps), [sample, sample])
      #expect(try losses.box.floats() == [0])
      try losses.objectness.adding(losses.box).backward()
      for parameter in store.trained where parameter.name.hasPrefix("rpn_reg") {
        #expect(try parameter.gradient?.floats().allSatisfy { $0 == 0 } ?? true)
      }
    }
  }
}
