import Formats
import Geometry
import Layers
import Tensors
import TestSupport
import Testing

@testable import Detection

@Suite(.serialized)
struct RegionProposalNetworkTests {
  /// The configuration that a fixture's parameters describe.
  private func configuration(_ fixture: Fixture) throws -> RegionProposalConfiguration {
    var shape = RegionProposalConfiguration()
    shape.anchorStrides = try fixture.numbers("anchors", "strides").map { Int($0) }
    let scales = try fixture.numbers("anchors", "scales").map { Float($0) }
    shape.anchorSizes = scales.map { $0 * Float(shape.anchorStrides[0]) }
    try #require(shape.anchorScales == scales)
    shape.anchorRatios = try fixture.numbers("anchors", "ratios").map { Float($0) }
    shape.detached = fixture.params["detached"]?.bool ?? false
    if let assigner = fixture.params["assigner"] {
      shape.positiveOverlap = Float(try #require(assigner["pos_iou_thr"]?.number))
      shape.negativeOverlap = Float(try #require(assigner["neg_iou_thr"]?.number))
      shape.lowQualityOverlap = Float(try #require(assigner["min_pos_iou"]?.number))
    }
    if let sampler = fixture.params["sampler"] {
      shape.batchSize = try #require(sampler["num"]?.integer)
      shape.positiveFraction = Float(try #require(sampler["positive_fraction"]?.number))
    }
    return shape
  }

  /// The peer's draw of a fixture, with what its positives were matched with.
  private func samples(
    _ fixture: Fixture, _ network: RegionProposalNetwork, maps: [Tensor]
  ) throws -> SampledAnchors {
    let images = fixture.numbered("gt").indices
    let stream = maps[0].stream
    let grid = try network.grid(maps)
    let total = grid.total
    let positives = try images.map { try fixture.integers("pos\($0)").map { Int($0) } }
    let matches = try images.flatMap { image in
      var row = [Int32](repeating: Tensor.background, count: total)
      for (place, truth) in zip(positives[image], try fixture.integers("pos_gt\(image)")) {
        row[place] = truth
      }
      return row
    }
    return SampledAnchors(
      grid: grid,
      sample: try SampledRows(
        positives: positives,
        negatives: try images.map { try fixture.integers("neg\($0)").map { Int($0) } },
        on: stream), matches: try Tensor(matches, shape: [images.count, total], on: stream),
      truths: try truths(fixture, on: stream))
  }

  private func truths(_ fixture: Fixture, on stream: ComputeStream) throws -> TruthBoxes {
    try TruthBoxes(
      try fixture.numbered("gt").map { [Box](corners: try fixture.floats($0)) }, on: stream)
  }

  @Test(.needsFixtures, arguments: Fixture.files("rpn", prefix: "loss"))
  func matchesPeers(_ name: String) throws {
    let fixture = try Fixture(name)
    let shape = try configuration(fixture)
    let width = try fixture.shape("x0")[1]
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 1)
      let network = try RegionProposalNetwork(store.root, shape, width: width)
      let model = ModelFixture(fixture: fixture, store: store)
      try model.load()
      let keys = fixture.numbered("x")
      let maps = try keys.map { try fixture.tensor($0, on: stream).trained($0) }
      let output = try network(maps)
      for level in maps.indices {
        try fixture.expect(output.logits[level], equals: "cls\(level)")
        try fixture.expect(output.deltas[level], equals: "reg\(level)")
      }
      let losses = try network.losses(output, try samples(fixture, network, maps: maps))
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
        ParameterStore(stream: stream, seed: 1).root, shape, width: 256)
      let output = RegionProposalOutput(
        logits: try fixture.numbered("cls").map { try fixture.tensor($0, on: stream).trained($0) },
        deltas: try fixture.numbered("reg").map { try fixture.tensor($0, on: stream).trained($0) })
      let losses = try network.losses(
        output, try samples(fixture, network, maps: output.logits))
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
        ParameterStore(stream: stream, seed: 1).root, shape, width: 256)
      let maps = try fixture.numbered("x").map { try fixture.tensor($0, on: stream) }
      let images = fixture.numbered("gt").indices
      let own = try network.sample(
        try network.grid(maps), maps: maps,
        frames: images.map { ImageView(imageID: $0, width: size[1], height: size[0]) },
        truths: try truths(fixture, on: stream),
        random: images.map { CounterRandom(seed: 3, UInt64($0)) })
      let matches = try own.matches.integers()
      let total = own.matches.shape[1]
      for (image, sample) in try own.sample.lists().enumerated() {
        let positives = try fixture.integers("pos\(image)").map { Int($0) }
        let negatives = try fixture.integers("neg\(image)").map { Int($0) }
        #expect(sample.negatives.count == negatives.count)
        #expect(sample.positives.count == positives.count)
        #expect(negatives.allSatisfy { matches[image * total + $0] == Tensor.background })
        // The peer's positives are matched with what it matched them with.
        let wanted = try fixture.integers("pos_gt\(image)")
        #expect(positives.map { matches[image * total + $0] } == wanted)
        // Below the limit all positives are taken.
        if Float(positives.count) < Float(shape.batchSize) * shape.positiveFraction {
          #expect(sample.positives == positives.sorted())
        }
      }
    }
  }

  @Test(.needsFixtures, arguments: Fixture.files("rpn", prefix: "proposals"))
  func proposalsMatchPeers(_ name: String) throws {
    let fixture = try Fixture(name)
    var shape = try configuration(fixture)
    shape.nmsThreshold = Float(try fixture.number("nms_iou"))
    let size = try #require(fixture.params["image_hw"]?.array).compactMap(\.integer)
    try TestDevice.withStream { stream in
      let network = try RegionProposalNetwork(
        ParameterStore(stream: stream, seed: 1).root, shape, width: 256)
      let output = RegionProposalOutput(
        logits: try fixture.numbered("cls").map { try fixture.tensor($0, on: stream) },
        deltas: try fixture.numbered("reg").map { try fixture.tensor($0, on: stream) })
      let found = try network.proposals(
        output, try network.grid(output.logits),
        frames: [ImageView(imageID: 0, width: size[1], height: size[0])],
        limits: ProposalLimits(
          perLevel: try fixture.integer("nms_pre"), total: try fixture.integer("max_per_img")))
      let proposals = try #require(try found.readLater().read().first)
      for (got, key) in [
        (proposals.map(\.box).corners, "boxes"), (proposals.map(\.score), "scores"),
      ] {
        expectClose(
          got, try fixture.floats(key), relative: fixture.relative, absolute: fixture.absolute,
          "\(name) \(key)")
      }
    }
  }

  @Test func imagesWithoutObjectsHaveNoBoxLoss() throws {
    var shape = RegionProposalConfiguration()
    shape.anchorStrides = [8, 16]
    shape.anchorSizes = [64, 128]
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 1)
      let network = try RegionProposalNetwork(store.root, shape, width: 2)
      let maps = try [(4, 6), (2, 3)].map { height, width in
        try Tensor(
          randomFloats(2 * height * width * 2, seed: 5), shape: [2, height, width, 2], on: stream)
      }
      let frame = ImageView(imageID: 1, width: 20, height: 30)
      let samples = try network.sample(
        try network.grid(maps), maps: maps, frames: [frame, frame],
        truths: try TruthBoxes([[], []], on: stream),
        random: [CounterRandom(seed: 1), CounterRandom(seed: 2)])
      for sample in try samples.sample.lists() {
        #expect(sample.positives.isEmpty)
        // 4 x 4 of the cells of the finer map and 2 x 2 of the coarser one, 3 anchors each.
        #expect(sample.negatives.count == 3 * (4 * 4 + 2 * 2))
      }
      let losses = try network.losses(try network(maps), samples)
      #expect(try losses.box.floats() == [0])
      try losses.objectness.adding(losses.box).backward()
      for parameter in store.trained where parameter.name.hasPrefix("rpn_reg") {
        #expect(try parameter.gradient?.floats().allSatisfy { $0 == 0 } ?? true)
      }
    }
  }
}
