import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Pooling")
struct PoolingTests {
  struct Case: Sendable {
    let shape: [Int]
    let kernel: Int
    let stride: Int
    let padding: Int
  }

  static let cases = [
    Case(shape: [1, 1, 1, 1], kernel: 1, stride: 1, padding: 0),
    Case(shape: [2, 7, 5, 15], kernel: 3, stride: 2, padding: 1),
    Case(shape: [1, 6, 9, 16], kernel: 2, stride: 2, padding: 0),
    Case(shape: [1, 8, 8, 17], kernel: 3, stride: 1, padding: 1),
    Case(shape: [2, 5, 11, 131], kernel: 2, stride: 3, padding: 0),
    Case(shape: [1, 9, 4, 3], kernel: 4, stride: 2, padding: 2),
    Case(shape: [0, 5, 5, 3], kernel: 3, stride: 2, padding: 1),
  ]

  @Test("maxima against the host, forward and backward", arguments: TestDevice.families, cases)
  func maximum(family: DeviceFamily, test: Case) throws {
    try TestDevice.withStream(family) { stream in
      // Few distinct values, so that many windows hold ties.
      let floats = randomFloats(test.shape.reduce(1, *), seed: 1, in: -3...3)
        .map { $0.rounded() }
      let x = try Tensor(floats, shape: test.shape, on: stream).trained("x")
      let result = try x.maxPool(
        kernel: test.kernel, stride: test.stride, padding: test.padding)
      let gradient = try backward(result, seed: 2)
      let (height, width, channels) = (test.shape[1], test.shape[2], test.shape[3])
      var output: [Double] = []
      var inputGradient = [Double](repeating: 0, count: floats.count)
      for image in 0..<test.shape[0] {
        for i in 0..<(height + 2 * test.padding - test.kernel) / test.stride + 1 {
          for j in 0..<(width + 2 * test.padding - test.kernel) / test.stride + 1 {
            for c in 0..<channels {
              var (best, place) = (-Double.infinity, -1)
              for y in i * test.stride - test.padding..<i * test.stride - test.padding
                + test.kernel where y >= 0 && y < height
              {
                for x in j * test.stride - test.padding..<j * test.stride - test.padding
                  + test.kernel where x >= 0 && x < width
                {
                  let at = ((image * height + y) * width + x) * channels + c
                  if Double(floats[at]) > best { (best, place) = (Double(floats[at]), at) }
                }
              }
              inputGradient[place] += gradient[output.count]
              output.append(best)
            }
          }
        }
      }
      #expect(try result.floats().map(Double.init) == output)
      expectClose(try x.gradient?.floats() ?? [], inputGradient, "gradient of \(test)")
    }
  }

  @Test("a constant input needs no places and gives the same maxima")
  func withoutGradient() throws {
    try TestDevice.withStream { stream in
      let x = try Operand([1, 9, 7, 20], seed: 3, on: stream)
      let wanted = try x.tensor.maxPool(kernel: 3, stride: 2, padding: 1).floats()
      #expect(
        try x.tensor.detached().maxPool(kernel: 3, stride: 2, padding: 1).floats() == wanted)
    }
  }

  @Test(
    "maxima against the peer's numbers",
    .enabled(if: Fixture.available, "the fixture set is missing"),
    arguments: TestDevice.families)
  func maximumFixtures(family: DeviceFamily) throws {
    let files = Fixture.files("pool", prefix: "maxpool")
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let x = try fixture.trained("x", on: stream)
        let result = try x.maxPool(
          kernel: try fixture.integer("kernel"), stride: try fixture.integer("stride"),
          padding: try fixture.integer("padding"))
        try fixture.expect(result, equals: "y")
        try result.backward(from: try fixture.tensor("grad_y", on: stream))
        try fixture.expect(x.gradient, equals: "grad_x")
      }
    }
  }

  @Test("means against float64, forward and backward", arguments: TestDevice.families)
  func mean(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for shape in [
        [1, 1, 1, 1], [3, 7, 7, 15], [2, 5, 3, 16], [1, 31, 17, 129], [0, 2, 2, 5],
      ] {
        let x = try Operand(shape, seed: 1, on: stream)
        let result = try x.tensor.globalAveragePool()
        let gradient = try backward(result, seed: 2)
        let (area, channels) = (shape[1] * shape[2], shape[3])
        var output = [Double](repeating: 0, count: shape[0] * channels)
        var inputGradient = x.values
        for (index, value) in x.values.enumerated() {
          let target = index / (area * channels) * channels + index % channels
          output[target] += value / Double(area)
          inputGradient[index] = gradient[target] / Double(area)
        }
        expectClose(try result.floats(), output, "\(shape)")
        expectClose(try x.tensor.gradient?.floats() ?? [], inputGradient, "gradient, \(shape)")
      }
    }
  }

  @Test(
    "means against the peer's numbers",
    .enabled(if: Fixture.available, "the fixture set is missing"),
    arguments: TestDevice.families)
  func meanFixtures(family: DeviceFamily) throws {
    let files = Fixture.files("pool", prefix: "global_avg")
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let x = try fixture.trained("x", on: stream)
        let result = try x.globalAveragePool()
        try fixture.expect(result, equals: "y")
        let gradient = try fixture.tensor("grad_y", on: stream).reshaped(result.shape)
        try result.backward(from: gradient)
        try fixture.expect(x.gradient, equals: "grad_x")
      }
    }
  }
}
