import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Layer normalisation")
struct LayerNormTests {
  @Test("against float64, forward and backward", arguments: TestDevice.families)
  func random(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for (rows, columns) in [(1, 3), (2, 15), (5, 16), (33, 17), (3, 128), (70, 131), (0, 4)] {
        let x = try Operand([rows, columns], seed: 1, in: 2...7, on: stream)
        let weight = try Operand([columns], seed: 2, on: stream)
        let bias = try Operand([columns], seed: 3, on: stream)
        let result = try x.tensor.layerNorm(
          weight: weight.tensor, bias: bias.tensor, epsilon: 1e-3)
        let label = "[\(rows), \(columns)]"
        let gradient = randomFloats(x.values.count, seed: 4).map(Double.init)
        var output = x.values, inputGradient = x.values
        var weightGradient = [Double](repeating: 0, count: columns)
        var biasGradient = weightGradient
        for start in stride(from: 0, to: output.count, by: columns) {
          let row = x.values[start..<start + columns]
          let mean = row.reduce(0, +) / Double(columns)
          let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
          let scale = 1 / (variance + 1e-3).squareRoot()
          let normal = row.map { ($0 - mean) * scale }
          let inner = (0..<columns).map { gradient[start + $0] * weight.values[$0] }
          let offset = inner.reduce(0, +) / Double(columns)
          let slope = zip(inner, normal).reduce(0) { $0 + $1.0 * $1.1 } / Double(columns)
          for c in 0..<columns {
            output[start + c] = normal[c] * weight.values[c] + bias.values[c]
            inputGradient[start + c] = scale * (inner[c] - offset - normal[c] * slope)
            weightGradient[c] += gradient[start + c] * normal[c]
            biasGradient[c] += gradient[start + c]
          }
        }
        expectClose(try result.floats(), output, label)
        #expect(try backward(result, seed: 4) == gradient)
        expectClose(try x.tensor.gradient?.floats() ?? [], inputGradient, "x, \(label)")
        expectClose(try weight.tensor.gradient?.floats() ?? [], weightGradient, "weight, \(label)")
        expectClose(try bias.tensor.gradient?.floats() ?? [], biasGradient, "bias, \(label)")
      }
    }
  }

  @Test(
    "against the peer's numbers",
    .enabled(if: Fixture.available, "the fixture set is missing"),
    arguments: TestDevice.families)
  func fixtures(family: DeviceFamily) throws {
    let files = Fixture.files("norm", prefix: "layernorm")
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let x = try fixture.trained("x", on: stream, channelsLast: false)
        let weight = try fixture.trained("weight", on: stream)
        let bias = try fixture.trained("bias", on: stream)
        let result = try x.layerNorm(
          weight: weight, bias: bias, epsilon: Float(try fixture.number("eps")))
        try fixture.expect(result, equals: "y", channelsLast: false)
        try result.backward(from: try fixture.tensor("grad_y", on: stream, channelsLast: false))
        try fixture.expect(x.gradient, equals: "grad_x", channelsLast: false)
        try fixture.expect(weight.gradient, equals: "grad_weight")
        try fixture.expect(bias.gradient, equals: "grad_bias")
      }
    }
  }
}
