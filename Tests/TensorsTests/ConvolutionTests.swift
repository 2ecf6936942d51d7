import OpenCL
import OperatorChecks
import Tensors
import TestSupport
import Testing

@Suite("Convolution")
struct ConvolutionTests {
  typealias Case = HostReference.Convolution

  static let cases = [
    Case([1, 1, 1, 1], to: 1, kernel: [1, 1]),
    Case([2, 3, 5, 17], to: 15, kernel: [1, 1]),
    Case([1, 5, 4, 3], to: 33, kernel: [1, 1], stride: 2),
    Case([1, 4, 3, 3], to: 5, kernel: [1, 1], padding: 1),
    Case([1, 5, 6, 3], to: 4, kernel: [1, 1], stride: 3, padding: 1),
    Case([2, 7, 6, 16], to: 17, kernel: [3, 3], padding: 1),
    Case([1, 9, 8, 5], to: 32, kernel: [3, 3], stride: 2, padding: 1),
    Case([1, 12, 11, 3], to: 16, kernel: [7, 7], stride: 2, padding: 3),
    Case([1, 8, 9, 4], to: 6, kernel: [3, 3], padding: 2, dilation: 2),
    Case([1, 8, 9, 4], to: 6, kernel: [3, 3], stride: 2, padding: 2, dilation: 2),
    Case([1, 9, 10, 4], to: 6, kernel: [3, 2], stride: 3, padding: 1, dilation: 2),
    Case([2, 6, 5, 7], to: 3, kernel: [1, 3], stride: 1, padding: 2),
    Case([1, 8, 4, 2], to: 3, kernel: [4, 2], stride: 4),
    Case([1, 1, 1, 6], to: 5, kernel: [3, 3], padding: 1),
    Case([3, 1, 2, 50], to: 2, kernel: [3, 3], padding: 1),
    Case([1, 40, 40, 2], to: 3, kernel: [3, 3], padding: 1),
    Case([0, 4, 4, 2], to: 3, kernel: [3, 3], padding: 1),
  ]

  @Test("forward and backward against double precision", arguments: TestDevice.families)
  func reference(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for form in Self.cases { try check(form, on: stream) }
    }
  }

  /// Compares a convolution and its gradients with double precision.
  func check(_ form: Case, on stream: ComputeStream) throws {
    let values = randomFloats(form.input.reduce(1, *), seed: 1)
    let weights = randomFloats(form.weight.reduce(1, *), seed: 2)
    let biases = randomFloats(form.weight[0], seed: 3)
    let gradients = randomFloats(form.result.reduce(1, *), seed: 4)
    let (exactX, exactWeight) = (values.map(Double.init), weights.map(Double.init))
    let want = form.gradients(exactX, exactWeight, of: gradients.map(Double.init))

    let x = try Tensor(values, shape: form.input, on: stream).trained("x")
    let weight = try Tensor(weights, shape: form.weight, on: stream).trained("weight")
    let bias = try Tensor(biases, shape: [biases.count], on: stream).trained("bias")
    let y = try x.convolution(
      weight: weight, bias: bias, stride: form.stride, padding: form.padding,
      dilation: form.dilation)
    #expect(y.shape == form.result, "\(form)")
    try y.backward(from: try Tensor(gradients, shape: form.result, on: stream))
    let wantY = form(exactX, exactWeight).enumerated().map {
      $1 + Double(biases[$0 % biases.count])
    }
    expectClose(try y.floats(), wantY, "\(form)")
    expectClose(try #require(x.gradient).floats(), want.x, "\(form) input gradient")
    expectClose(
      try #require(weight.gradient).floats(), want.weight, "\(form) weight gradient")
    var wantBias = [Double](repeating: 0, count: biases.count)
    for index in gradients.indices {
      wantBias[index % biases.count] += Double(gradients[index])
    }
    expectClose(try #require(bias.gradient).floats(), wantBias, "\(form) bias gradient")
  }

  @Test("Winograd's algorithm agrees with the direct one", arguments: TestDevice.families)
  func winograd(family: DeviceFamily) throws {
    // Images, height, width, inputs, outputs, padding: whole blocks, cut blocks, several images,
    // several chunks of blocks on a CPU.
    var forms = [[1, 24, 24, 64, 64, 1], [2, 17, 22, 64, 80, 1], [1, 23, 30, 80, 64, 0]]
    if family == .cpu { forms += [[1, 30, 21, 64, 64, 2], [1, 150, 150, 64, 128, 1]] }
    try TestDevice.withStream(family) { stream in
      for form in forms {
        let inputShape = [form[0], form[1], form[2], form[3]]
        let weightShape = [form[4], 3, 3, form[3]]
        let x = try Tensor(
          randomFloats(inputShape.reduce(1, *), seed: 1), shape: inputShape, on: stream)
        let weight = try Tensor(
          randomFloats(weightShape.reduce(1, *), seed: 2), shape: weightShape, on: stream)
        let bias = try Tensor(randomFloats(form[4], seed: 3), shape: [form[4]], on: stream)
        var results: [[Float]] = []
        for direct in [true, false] {
          let (x, weight) = (x.trained("x"), weight.trained("weight"))
          let y = try x.convolution(weight: weight, bias: bias, padding: form[5], direct: direct)
          try y.backward(
            from: try Tensor(randomFloats(y.count, seed: 4), shape: y.shape, on: stream))
          results.append(try y.floats())
          results.append(try #require(x.gradient).floats())
          results.append(try #require(weight.gradient).floats())
        }
        for part in 0..<3 {
          expectClose(
            results[part + 3], results[part], relative: 0, absolute: 5e-5, "\(form) part \(part)")
        }
      }
    }
  }

  @Test("an exact context convolves directly, bit for bit")
  func exact() throws {
    func results(exact: Bool, direct: Bool) throws -> [[Float]] {
      var results: [[Float]] = []
      try TestDevice.withContext(exact: exact) { context in
        let stream = try ComputeStream(context: context)
        let x = try Tensor(
          randomFloats(24 * 24 * 64, seed: 1), shape: [1, 24, 24, 64], on: stream
        ).trained("x")
        let weight = try Tensor(
          randomFloats(64 * 9 * 64, seed: 2), shape: [64, 3, 3, 64], on: stream
        ).trained("weight")
        let y = try x.convolution(weight: weight, padding: 1, direct: direct)
        try y.backward(
          from: try Tensor(randomFloats(y.count, seed: 3), shape: y.shape, on: stream))
        results = [
          try y.floats(), try #require(x.gradient).floats(), try #require(weight.gradient).floats(),
        ]
      }
      return results
    }
    let direct = try results(exact: false, direct: true)
    #expect(try results(exact: true, direct: false) == direct)
    #expect(try results(exact: false, direct: false) != direct)
  }

  @Test(
    "like the peer's", .enabled(if: !convolutionFixtures.isEmpty, "no fixtures conv/*"),
    arguments: convolutionFixtures, TestDevice.families)
  func peer(name: String, family: DeviceFamily) throws {
    let fixture = try Fixture(name)
    try TestDevice.withStream(family) { stream in
      let x = try fixture.tensor("x", on: stream).trained("x")
      let weight = try fixture.tensor("weight", on: stream).trained("weight")
      let bias =
        fixture.has("bias") ? try fixture.tensor("bias", on: stream).trained("bias") : nil
      let y = try x.convolution(
        weight: weight, bias: bias, stride: try fixture.integer("stride"),
        padding: try fixture.integer("padding"), dilation: try fixture.integer("dilation"))
      try fixture.expect(y, equals: "y")
      try y.backward(from: try fixture.tensor("grad_y", on: stream))
      try fixture.expect(x.gradient, equals: "grad_x")
      try fixture.expect(weight.gradient, equals: "grad_weight")
      if let bias { try fixture.expect(bias.gradient, equals: "grad_bias") }
    }
  }
}

private let convolutionFixtures = Fixture.files("conv")
