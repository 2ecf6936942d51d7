import Detection
import Geometry
import Tensors
import TestSupport
import Testing

@Suite(.serialized)
struct RegionPoolingTests {
  @Test(.needsFixtures, arguments: Fixture.files("roi_align", prefix: "fpn_roi"))
  func matchesPeers(_ name: String) throws {
    let fixture = try Fixture(name)
    let strides = try #require(fixture.params["strides"]?.array).compactMap(\.integer)
    var pooling = RegionPooling(strides: strides, size: try fixture.integer("output_size"))
    pooling.samplingRatio = try fixture.integer("sampling_ratio")
    pooling.finestSize = Float(try fixture.number("finest_scale"))
    try TestDevice.withStream { stream in
      let keys = fixture.numbered("x")
      let maps = try keys.map { try fixture.tensor($0, on: stream).trained($0) }
      let regions = try fixture.tensor("rois", on: stream)
      let pooled = try pooling(maps, regions: regions)
      try fixture.expect(pooled, equals: "y")
      try pooled.backward(from: try fixture.tensor("grad_y", on: stream))
      for (map, key) in zip(maps, keys) {
        try fixture.expect(map.gradient, equals: "grad_\(key)")
      }
    }
  }

  @Test func regionsNameTheirImage() throws {
    try TestDevice.withStream { stream in
      let box = Box(x1: 1, y1: 2, x2: 3, y2: 4)
      let regions = try Tensor.regions([Region]([[], [box], [box, box]]), on: stream)
      #expect(regions.shape == [3, 5])
      #expect(try regions.floats() == [1, 1, 2, 3, 4, 2, 1, 2, 3, 4, 2, 1, 2, 3, 4])
    }
  }
}
