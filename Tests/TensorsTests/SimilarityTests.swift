import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Similarity operators")
struct SimilarityTests {
  @Test("unit rows against a double reference", arguments: TestDevice.families)
  func unitRows(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for columns in [1, 15, 16, 17, 127, 128, 129, 509] {
        let rows = 3
        var x = randomFloats(rows * columns, seed: UInt64(columns), in: 0.1...1)
        // The last row is shorter than the smallest norm.
        for column in 0..<columns { x[2 * columns + column] *= 1e-20 }
        let gradient = randomFloats(rows * columns, seed: 9)
        var wanted: [Double] = []
        var wantedGradient: [Double] = []
        for row in 0..<rows {
          let values = x[row * columns..<(row + 1) * columns].map { Double($0) }
          let slopes = gradient[row * columns..<(row + 1) * columns].map { Double($0) }
          let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
          let divisor = max(norm, 1e-12)
          let dot = zip(values, slopes).reduce(0) { $0 + $1.0 * $1.1 }
          wanted += values.map { $0 / divisor }
          wantedGradient += zip(values, slopes).map { value, slope in
            (slope - (norm > 1e-12 ? value * dot / (norm * norm) : 0)) / divisor
          }
        }
        let source = try Tensor(x, shape: [rows, columns], on: stream).trained("x")
        let result = try source.l2Normalized()
        expectClose(try result.floats(), wanted, "\(columns) columns")
        try result.backward(from: try Tensor(gradient, shape: result.shape, on: stream))
        let got = try source.gradient?.floats() ?? []
        // The short row's gradients are 1e12 times the others'.
        let long = 2 * columns
        expectClose(
          Array(got.prefix(long)), Array(wantedGradient.prefix(long)), "gradient, \(columns)")
        expectClose(
          Array(got.dropFirst(long)), Array(wantedGradient.dropFirst(long)),
          "short row's gradient, \(columns)")
      }
      let nothing = try Tensor([Float](), shape: [0, 5], on: stream)
      #expect(try nothing.l2Normalized().shape == [0, 5])
    }
  }
}

@Suite(
  "Similarity against peers",
  .enabled(if: Fixture.available, "no fixtures: set BARON_FIXTURES or BARON_SHARED"))
struct SimilarityFixtureTests {
  @Test(
    "unit rows", arguments: TestDevice.families,
    Fixture.files("similarity", prefix: "l2_normalise"))
  func normalise(family: DeviceFamily, file: String) throws {
    try TestDevice.withStream(family) { stream in
      let fixture = try Fixture(file)
      let x = try fixture.tensor("x", on: stream, channelsLast: false).trained("x")
      let y = try x.l2Normalized()
      try fixture.expect(y, equals: "y", channelsLast: false)
      if fixture.has("grad_y") {
        try y.backward(from: try fixture.tensor("grad_y", on: stream, channelsLast: false))
        try fixture.expect(x.gradient, equals: "grad_x", channelsLast: false)
      }
    }
  }

  @Test(
    "cosines", arguments: TestDevice.families, Fixture.files("similarity", prefix: "cosine"))
  func cosine(family: DeviceFamily, file: String) throws {
    try TestDevice.withStream(family) { stream in
      let fixture = try Fixture(file)
      let a = try fixture.tensor("a", on: stream, channelsLast: false).trained("a")
      let b = try fixture.tensor("b", on: stream, channelsLast: false).trained("b")
      let y = try a.l2Normalized().cosineSimilarity(
        try b.l2Normalized(), temperature: Float(try fixture.number("temperature")))
      try fixture.expect(y, equals: "y", channelsLast: false)
      try y.backward(from: try fixture.tensor("grad_y", on: stream, channelsLast: false))
      try fixture.expect(a.gradient, equals: "grad_a", channelsLast: false)
      try fixture.expect(b.gradient, equals: "grad_b", channelsLast: false)
    }
  }

  @Test(
    "class logits", arguments: TestDevice.families,
    Fixture.files("similarity", prefix: "class_logits"))
  func classLogits(family: DeviceFamily, file: String) throws {
    try TestDevice.withStream(family) { stream in
      let fixture = try Fixture(file)
      let x = try fixture.tensor("x", on: stream).trained("x")
      let embeddings = try fixture.tensor("emb", on: stream).trained("emb")
      let y = try x.l2Normalized().cosineSimilarity(
        embeddings, temperature: Float(try fixture.number("temperature")))
      try fixture.expect(y, equals: "y")
      try y.backward(from: try fixture.tensor("grad_y", on: stream))
      try fixture.expect(x.gradient, equals: "grad_x")
      try fixture.expect(embeddings.gradient, equals: "grad_emb")
    }
  }
}
