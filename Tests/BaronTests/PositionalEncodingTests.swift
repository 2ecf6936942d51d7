import Baron
import Foundation
import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Positional encoding")
struct PositionalEncodingTests {
  @Test("positions against a double reference", arguments: TestDevice.families)
  func reference(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for (rows, features) in [(0, 16), (1, 1), (3, 15), (5, 17), (2, 128), (7, 130)] {
        let boxes = randomFloats(4 * rows, seed: 3, in: 0...1)
        let result = try Tensor.sinePositions(
          boxes: boxes, features: features, temperature: 1.2, on: stream)
        #expect(result.shape == [rows, 4 * features])
        let wanted = boxes.flatMap { coordinate in
          (0..<features).map { index in
            let exponent = Double(index / 2) - Double(features) / 4
            let angle = 2 * Double.pi * Double(coordinate) * pow(Double(Float(1.2)), exponent)
            return index.isMultiple(of: 2) ? sin(angle) : cos(angle)
          }
        }
        expectClose(
          try result.floats(), wanted, relative: 0, absolute: 1e-6, "\(rows) x \(features)")
      }
    }
  }

  @Test(
    "positions against the peer",
    .enabled(if: Fixture.available, "no fixtures: set BARON_FIXTURES or BARON_SHARED"),
    arguments: TestDevice.families, Fixture.files("baron", prefix: "sine_position"))
  func peer(family: DeviceFamily, file: String) throws {
    try TestDevice.withStream(family) { stream in
      let fixture = try Fixture(file)
      let result = try Tensor.sinePositions(
        boxes: try fixture.floats("boxes_cxcywh"), features: try fixture.integer("num_feats"),
        temperature: Float(try fixture.number("temperature")), on: stream)
      try fixture.expect(result, equals: "sine")
    }
  }
}
