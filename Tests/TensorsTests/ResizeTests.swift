import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Up-sampled sum")
struct ResizeTests {
  @Test("against the host, forward and backward", arguments: TestDevice.families)
  func random(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for (shape, topHeight, topWidth) in [
        ([1, 1, 1, 1], 1, 1), ([2, 7, 5, 15], 4, 3), ([1, 6, 9, 16], 3, 5), ([1, 8, 3, 17], 3, 3),
        ([2, 13, 11, 131], 7, 6), ([1, 2, 3, 4], 5, 7), ([0, 4, 4, 2], 2, 2),
      ] {
        let topShape = [shape[0], topHeight, topWidth, shape[3]]
        let lateral = try Operand(shape, seed: 1, on: stream)
        let top = try Operand(topShape, seed: 2, on: stream)
        let result = try lateral.tensor.addingUpsampled(top.tensor)
        let gradient = try backward(result, seed: 3)
        var output = lateral.values
        var topGradient = [Double](repeating: 0, count: top.values.count)
        let (height, width, channels) = (shape[1], shape[2], shape[3])
        for index in output.indices {
          let (c, x) = (index % channels, index / channels % width)
          let (y, image) = (
            index / (channels * width) % height, index / (channels * width * height)
          )
          let source =
            ((image * topHeight + y * topHeight / height) * topWidth + x * topWidth / width)
            * channels + c
          output[index] += top.values[source]
          topGradient[source] += gradient[index]
        }
        let label = "\(shape) + \(topShape)"
        expectClose(try result.floats(), output, label)
        expectClose(try lateral.tensor.gradient?.floats() ?? [], gradient, "lateral, \(label)")
        expectClose(try top.tensor.gradient?.floats() ?? [], topGradient, "top, \(label)")
      }
    }
  }

  @Test(
    "against the peer's numbers",
    .enabled(if: Fixture.available, "the fixture set is missing"),
    arguments: TestDevice.families)
  func fixtures(family: DeviceFamily) throws {
    let files = Fixture.files("resample", prefix: "nearest_add")
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let lateral = try fixture.trained("lateral", on: stream)
        let top = try fixture.trained("top", on: stream)
        let result = try lateral.addingUpsampled(top)
        try fixture.expect(result, equals: "y")
        try result.backward(from: try fixture.tensor("grad_y", on: stream))
        try fixture.expect(lateral.gradient, equals: "grad_lateral")
        try fixture.expect(top.gradient, equals: "grad_top")
      }
    }
  }
}
