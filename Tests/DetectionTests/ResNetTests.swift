import Detection
import Layers
import Tensors
import TestSupport
import Testing

@Suite(.serialized)
struct ResNetTests {
  @Test(.needsFixtures, arguments: Fixture.files("nets", prefix: "resnet"))
  func matchesPeers(_ name: String) throws {
    let fixture = try Fixture(name)
    var shape = ResNetConfiguration()
    shape.stemWidth = try fixture.shape("p.conv1.weight")[0]
    shape.stageWidths = []
    shape.blocks = []
    while fixture.has("p.layer\(shape.blocks.count + 1).0.conv1.weight") {
      let stage = "p.layer\(shape.blocks.count + 1)"
      shape.stageWidths.append(try fixture.shape("\(stage).0.conv1.weight")[0])
      shape.blocks.append((0...).prefix { fixture.has("\(stage).\($0).conv1.weight") }.count)
    }
    let outputStages =
      fixture.params["output_stages"]?.array?.compactMap(\.integer)
      ?? Array(1...shape.blocks.count)
    shape.style = fixture.params["style"]?.string == "caffe" ? .caffe : .pytorch
    let training = fixture.params["bn_training"]?.bool ?? false

    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 1)
      let network = try ResNet(store.root, shape, outputStages: outputStages)
      let model = ModelFixture(fixture: fixture, store: store)
      try model.load()
      let x = try fixture.tensor("x", on: stream).trained("x")
      let maps = try network(x, training: training)
      let keys = fixture.numbered("y")
      try #require(maps.count == keys.count)
      for (map, key) in zip(maps, keys) { try fixture.expect(map, equals: key) }
      try weightedSum(
        try zip(maps, keys).map { ($0, try fixture.tensor("grad_\($1)", on: stream)) }
      ).backward()
      try fixture.expect(x.gradient, equals: "grad_x")
      try model.expectGradients()
      try model.expectBuffers()
    }
  }

  @Test func frozenPartsHoldNothingToTrain() throws {
    var shape = ResNetConfiguration()
    (shape.stemWidth, shape.stageWidths, shape.blocks) = (2, [1, 2], [1, 1])
    shape.frozenStages = 2
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 1)
      _ = try ResNet(store.root, shape, outputStages: [2])
      #expect(!store.trained.isEmpty)
      #expect(store.trained.allSatisfy { $0.name.hasPrefix("layer2") })
      #expect(shape.width(of: 2) == 8)
    }
  }
}
