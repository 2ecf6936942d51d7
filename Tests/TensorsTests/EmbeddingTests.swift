import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Embedding")
struct EmbeddingTests {
  @Test("against the host, forward and backward", arguments: TestDevice.families)
  func random(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for (entries, width, shape) in [
        (1, 1, [1]), (7, 15, [3, 5]), (40, 16, [2, 2, 3]), (3, 17, [31]), (11, 131, [4, 2]),
        (5, 3, [0, 4]),
      ] {
        let table = try Operand([entries, width], seed: 1, on: stream)
        let indices = randomFloats(shape.reduce(1, *), seed: 2, in: 0...Float(entries))
          .map { min(Int32($0), Int32(entries - 1)) }
        let result = try table.tensor.embedding(indices: indices, shape: shape)
        #expect(result.shape == shape + [width])
        let gradient = try backward(result, seed: 3)
        var tableGradient = [Double](repeating: 0, count: entries * width)
        var output: [Double] = []
        for (position, index) in indices.enumerated() {
          for c in 0..<width {
            output.append(table.values[Int(index) * width + c])
            tableGradient[Int(index) * width + c] += gradient[position * width + c]
          }
        }
        let label = "[\(entries), \(width)] read as \(shape)"
        #expect(try result.floats().map(Double.init) == output)
        expectClose(try table.tensor.gradient?.floats() ?? [], tableGradient, label)
      }
    }
  }

  @Test(
    "against the peer's numbers",
    .enabled(if: Fixture.available, "the fixture set is missing"),
    arguments: TestDevice.families)
  func fixtures(family: DeviceFamily) throws {
    let files = Fixture.files("linear", prefix: "embedding")
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let table = try fixture.trained("weight", on: stream)
        let result = try table.embedding(
          indices: try fixture.integers("ids"), shape: try fixture.shape("ids"))
        try fixture.expect(result, equals: "y", channelsLast: false)
        try result.backward(from: try fixture.tensor("grad_y", on: stream, channelsLast: false))
        try fixture.expect(table.gradient, equals: "grad_weight")
      }
    }
  }
}
