import OpenCL
import OperatorChecks
import Tensors
import TestSupport
import Testing

@Suite("Batch normalisation")
struct BatchNormTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let frozen: Bool
    let residual: Bool
    let relu: Bool
    var testDescription: String {
      "\(frozen ? "running" : "batch") statistics\(residual ? " + residual" : "")"
        + (relu ? " + relu" : "")
    }
  }

  static let cases = [
    Case(frozen: false, residual: false, relu: false),
    Case(frozen: false, residual: true, relu: false),
    Case(frozen: false, residual: false, relu: true),
    Case(frozen: false, residual: true, relu: true),
    Case(frozen: true, residual: false, relu: false),
    Case(frozen: true, residual: true, relu: false),
    Case(frozen: true, residual: false, relu: true),
    Case(frozen: true, residual: true, relu: true),
  ]

  static let epsilon = 1e-3
  static let momentum = 0.2

  @Test("against float64, forward and backward", arguments: TestDevice.families, cases)
  func random(family: DeviceFamily, test: Case) throws {
    try TestDevice.withStream(family) { stream in
      for (shape, offset) in [
        ([1, 3], 0), ([2, 1, 1, 15], 0), ([5, 7, 16], 1), ([31, 17], 0), ([33, 64], -3),
        ([1, 37, 29, 20], 300), ([3000, 5], 0),
      ] as [([Int], Float)] {
        let channels = shape[shape.count - 1]
        let x = try Operand(shape, seed: 1, in: offset - 1...offset + 2, on: stream)
        let added = try test.residual ? Operand(shape, seed: 2, on: stream) : nil
        let weight = try Operand([channels], seed: 3, on: stream)
        let bias = try Operand([channels], seed: 4, on: stream)
        let mean = try Operand([channels], seed: 5, in: offset...offset + 1, on: stream)
        let variance = try Operand([channels], seed: 6, in: 0.5...2, on: stream)
        let result =
          try test.frozen
          ? x.tensor.frozenBatchNorm(
            weight: weight.tensor, bias: bias.tensor, runningMean: mean.tensor,
            runningVariance: variance.tensor, epsilon: Float(Self.epsilon),
            residual: added?.tensor, relu: test.relu)
          : x.tensor.batchNorm(
            weight: weight.tensor, bias: bias.tensor, runningMean: mean.tensor,
            runningVariance: variance.tensor, momentum: Float(Self.momentum),
            epsilon: Float(Self.epsilon), residual: added?.tensor, relu: test.relu)
        let output = try result.floats()
        let gradient = try backward(result, seed: 7)
        let wanted = BatchNormReference(
          x.values, residual: added?.values, weight: weight.values, bias: bias.values,
          mean: mean.values, variance: variance.values, momentum: test.frozen ? nil : Self.momentum,
          epsilon: Self.epsilon, gradient: gradient,
          passes: { !test.relu || output[$0] > 0 }, relu: test.relu)
        let label = "\(shape), offset \(offset)"
        // Of inputs near 300 float32 itself keeps 1e-5.
        let absolute = offset == 0 ? 1e-5 : 1e-4
        expectClose(output, wanted.output, absolute: absolute, "y, \(label)")
        expectClose(
          try x.tensor.gradient?.floats() ?? [], wanted.input, absolute: absolute, "x, \(label)")
        expectClose(
          try weight.tensor.gradient?.floats() ?? [], wanted.weight, absolute: absolute,
          "weight, \(label)")
        expectClose(
          try bias.tensor.gradient?.floats() ?? [], wanted.bias, absolute: absolute,
          "bias, \(label)")
        if let added {
          expectClose(
            try added.tensor.gradient?.floats() ?? [], wanted.residual, "residual, \(label)")
        }
        expectClose(try mean.tensor.floats(), wanted.mean, "running mean, \(label)")
        expectClose(try variance.tensor.floats(), wanted.variance, "running variance, \(label)")
      }
    }
  }

  @Test("gradients only where they are needed", arguments: TestDevice.families, [false, true])
  func partial(family: DeviceFamily, frozen: Bool) throws {
    try TestDevice.withStream(family) { stream in
      let x = try Operand([40, 6], seed: 1, on: stream)
      let ones = try Tensor(repeating: 1, shape: [6], on: stream)
      let zeros = try Tensor(repeating: 0, shape: [6], on: stream)
      let bias = try Tensor(repeating: 0, shape: [6], on: stream).trained("bias")
      func result(_ input: Tensor, bias: Tensor) throws -> Tensor {
        try frozen
          ? input.frozenBatchNorm(
            weight: ones, bias: bias, runningMean: zeros, runningVariance: ones, relu: true)
          : input.batchNorm(
            weight: ones, bias: bias, runningMean: try zeros.copied(),
            runningVariance: try ones.copied(), relu: true)
      }
      // Input alone, then a parameter alone: each equals its part of the full computation.
      let full = try result(x.tensor, bias: bias)
      let gradient = try backward(full, seed: 2)
      let wantedInput = try x.tensor.gradient?.floats() ?? []
      let wantedBias = try bias.gradient?.floats() ?? []
      x.tensor.node?.clearGradient()
      bias.node?.clearGradient()
      #expect(try backward(try result(x.tensor, bias: zeros), seed: 2) == gradient)
      #expect(try x.tensor.gradient?.floats() == wantedInput)
      #expect(bias.gradient == nil)
      x.tensor.node?.clearGradient()
      _ = try backward(try result(x.tensor.detached(), bias: bias), seed: 2)
      #expect(x.tensor.gradient == nil)
      #expect(try bias.gradient?.floats() == wantedBias)
    }
  }

  @Test("an empty batch leaves the statistics alone", arguments: TestDevice.families)
  func empty(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let x = try Operand([0, 4], seed: 1, on: stream)
      let weight = try Operand([4], seed: 2, on: stream)
      let mean = try Operand([4], seed: 3, on: stream)
      let variance = try Operand([4], seed: 4, in: 1...2, on: stream)
      let result = try x.tensor.batchNorm(
        weight: weight.tensor, bias: weight.tensor, runningMean: mean.tensor,
        runningVariance: variance.tensor)
      _ = try backward(result, seed: 5)
      #expect(try result.floats().isEmpty)
      #expect(try mean.tensor.floats().map(Double.init) == mean.values)
      #expect(try variance.tensor.floats().map(Double.init) == variance.values)
      #expect(try weight.tensor.gradient?.floats() == [0, 0, 0, 0])
    }
  }

  @Test(
    "against the peer's numbers",
    .enabled(if: Fixture.available, "the fixture set is missing"),
    arguments: TestDevice.families, [false, true])
  func fixtures(family: DeviceFamily, frozen: Bool) throws {
    let files = Fixture.files("norm", prefix: frozen ? "batchnorm_frozen" : "batchnorm_train")
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let x = try fixture.trained("x", on: stream)
        let weight = try fixture.trained("weight", on: stream)
        let bias = try fixture.trained("bias", on: stream)
        let mean = try fixture.tensor("running_mean", on: stream)
        let variance = try fixture.tensor("running_var", on: stream)
        let epsilon = Float(try fixture.number("eps"))
        let result =
          try frozen
          ? x.frozenBatchNorm(
            weight: weight, bias: bias, runningMean: mean, runningVariance: variance,
            epsilon: epsilon)
          : x.batchNorm(
            weight: weight, bias: bias, runningMean: mean, runningVariance: variance,
            momentum: Float(try fixture.number("momentum")), epsilon: epsilon)
        try fixture.expect(result, equals: "y")
        if !frozen {
          try fixture.expect(mean, equals: "new_running_mean")
          try fixture.expect(variance, equals: "new_running_var")
        }
        try result.backward(from: try fixture.tensor("grad_y", on: stream))
        try fixture.expect(x.gradient, equals: "grad_x")
        try fixture.expect(weight.gradient, equals: "grad_weight")
        try fixture.expect(bias.gradient, equals: "grad_bias")
      }
    }
  }
}
