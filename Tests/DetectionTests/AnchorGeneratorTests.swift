import Detection
import Geometry
import OpenCL
import Tensors
import TestSupport
import Testing

extension AnchorGenerator {
  /// The generator that a fixture's parameters describe.
  init(_ fixture: Fixture, under key: String? = nil) throws {
    let parameters = key.flatMap { fixture.params[$0] } ?? fixture.params
    func numbers(_ key: String) throws -> [Double] {
      try #require(parameters[key]?.array).compactMap(\.number)
    }
    self.init(
      strides: try numbers("strides").map { Int($0) },
      scales: try numbers("scales").map { Float($0) },
      ratios: try numbers("ratios").map { Float($0) })
  }
}

@Suite("Anchors")
struct AnchorGeneratorTests {
  @Test("sizes of the finest level")
  func finest() {
    let generator = AnchorGenerator(RegionProposalConfiguration())
    let wanted: [Float] = [
      -22.6274, -11.3137, 22.6274, 11.3137, -16, -16, 16, 16, -11.3137, -22.6274, 11.3137, 22.6274,
    ]
    expectClose(generator.baseAnchors(level: 0).corners, wanted, "base anchors")
    #expect(generator.anchorsPerCell == 3)
    var singleMap = RegionProposalConfiguration()
    singleMap.anchorStrides = [16]
    #expect(AnchorGenerator(singleMap).anchorsPerCell == 15)
  }

  @Test("anchors stand on multiples of the stride, rows first", arguments: TestDevice.families)
  func order(family: DeviceFamily) throws {
    let generator = AnchorGenerator(strides: [16], scales: [2], ratios: [1])
    try TestDevice.withStream(family) { stream in
      let boxes = [Box](
        corners: try laid(generator, level: 0, height: 2, width: 2, on: stream).floats())
      #expect(boxes.map(\.x1) == [-16, 0, -16, 0])
      #expect(boxes.map(\.y1) == [-16, -16, 0, 0])
      #expect(try laid(generator, level: 0, height: 0, width: 3, on: stream).count == 0)
    }
  }
}

/// The anchors of a map on the device.
private func laid(
  _ generator: AnchorGenerator, level: Int, height: Int, width: Int, on stream: ComputeStream
) throws -> Tensor {
  let bases = try Tensor(
    generator.baseAnchors(level: level).corners, shape: [generator.anchorsPerCell, 4], on: stream)
  return try AnchorGrid(
    bases: [bases], maps: [(height: height, width: width, stride: generator.strides[level])]
  ).anchors
}

@Suite("Anchors against peers", .enabled(if: Fixture.available, "no peer fixtures"))
struct AnchorGeneratorFixtureTests {
  @Test("base anchors, anchors and validity", arguments: TestDevice.families)
  func anchors(family: DeviceFamily) throws {
    let files = Fixture.files("rpn", prefix: "anchors_")
    try #require(!files.isEmpty)
    for file in files {
      let fixture = try Fixture(file)
      let generator = try AnchorGenerator(fixture)
      let sizes = try fixture.integers("map_sizes").map { Int($0) }
      let image = try fixture.integers("valid_for_hw").map { Int($0) }
      for level in generator.strides.indices {
        let (height, width) = (sizes[2 * level], sizes[2 * level + 1])
        expectClose(
          generator.baseAnchors(level: level).corners, try fixture.floats("base\(level)"),
          relative: fixture.relative, absolute: fixture.absolute, "\(file) base \(level)")
        let anchors = try TestDevice.withStream(family) { stream in
          try laid(generator, level: level, height: height, width: width, on: stream).floats()
        }
        expectClose(
          anchors, try fixture.floats("anchors\(level)"), relative: fixture.relative,
          absolute: fixture.absolute, "\(file) level \(level)")
        let limit = generator.limits(
          level: level, imageHeight: image[0], imageWidth: image[1])
        let columns = width * generator.anchorsPerCell
        let valid = (0..<height * columns).map {
          $0 / columns < limit.rows && $0 % columns < limit.columns
        }
        #expect(try valid == fixture.integers("valid\(level)").map { $0 != 0 })
      }
    }
  }
}
