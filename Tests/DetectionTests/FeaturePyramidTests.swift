import Detection
import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@Suite(.serialized)
struct FeaturePyramidTests {
  @Test(.needsFixtures, arguments: Fixture.files("nets", prefix: "fpn"))
  func matchesPeers(_ name: String) throws {
    let fixture = try Fixture(name)
    let hasNorm = fixture.params["bn_training"] != nil
    let training = fixture.params["bn_training"]?.bool ?? false
    let inputs = try #require(fixture.params["in_channels"]?.array).compactMap(\.integer)
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 1)
      let pyramid = try FeaturePyramid(
        store.root, inputs: inputs, width: try fixture.integer("out_channels"),
        norm: hasNorm ? .batch : nil)
      let isOurs = fixture.has("p.lateral_convs.0.conv.weight")
      let model = ModelFixture(fixture: fixture, store: store) {
        guard !isOurs else { return $0 }
        return $0.replacingOccurrences(of: "lateral_convs", with: "inner_blocks")
          .replacingOccurrences(of: "fpn_convs", with: "layer_blocks").replacingOccurrences(
            of: ".conv.", with: ".0.")
      }
      try model.load()
      let maps = try fixture.numbered("x").map { try fixture.tensor($0, on: stream).trained($0) }
      let levels = try pyramid(maps, training: training)
      let keys = fixture.numbered("y")
      try #require(levels.count == keys.count)
      for (level, key) in zip(levels, keys) { try fixture.expect(level, equals: key) }
      try weightedSum(
        try zip(levels, keys).map { ($0, try fixture.tensor("grad_\($1)", on: stream)) }
      ).backward()
      for (map, key) in zip(maps, fixture.numbered("x")) {
        try fixture.expect(map.gradient, equals: "grad_\(key)")
      }
      try model.expectGradients()
      try model.expectBuffers()
    }
  }
}
