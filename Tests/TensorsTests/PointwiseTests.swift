import Foundation
import OpenCL
import OperatorChecks
import Tensors
import TestSupport
import Testing

@Suite("Pointwise operators")
struct PointwiseTests {
  @Test("a copy of more than the caches hold", arguments: TestDevice.families)
  func largeCopy(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      // Whole vectors, and a rest.
      for count in [1 << 23, 1 << 23 | 21] {
        let values = (0..<count).map { Float($0) }
        let copy = try Tensor(values, shape: [count], on: stream).copied()
        let isSame = try copy.floats() == values
        #expect(isSame, "\(count)")
      }
    }
  }

  /// Sizes around a vector, a CPU block and a GPU group.
  static let sizes = [1, 15, 16, 17, 255, 257, 16383, 16384, 16385, 40000]

  @Test("sum and scale, forward and backward", arguments: TestDevice.families)
  func sumAndScale(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for count in Self.sizes {
        let (a, b) = (randomFloats(count, seed: 1), randomFloats(count, seed: 2))
        let left = try Tensor(a, shape: [count], on: stream).trained("a")
        let right = try Tensor(b, shape: [count], on: stream).trained("b")
        // The left operand is used twice, so its gradient is a sum.
        let result = try left.scaled(by: -2).adding(right).adding(left)
        expectClose(
          try result.floats(), zip(a, b).map { $1 - $0 }, "\(count) elements")
        let gradient = randomFloats(count, seed: 3)
        try result.backward(from: try Tensor(gradient, shape: [count], on: stream))
        expectClose(
          try left.gradient?.floats() ?? [], gradient.map { -$0 }, "left, \(count)")
        expectClose(try right.gradient?.floats() ?? [], gradient, "right, \(count)")
      }
    }
  }

  @Test("difference and product, forward and backward", arguments: TestDevice.families)
  func differenceAndProduct(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for count in Self.sizes {
        let left = try Operand([count], seed: 1, on: stream)
        let right = try Operand([count], seed: 2, on: stream)
        // (a - b) b: both operands of both operators get a gradient.
        let result = try left.tensor.subtracting(right.tensor).multiplied(by: right.tensor)
        let pairs = Array(zip(left.values, right.values))
        expectClose(try result.floats(), pairs.map { ($0 - $1) * $1 }, "\(count) elements")
        let gradient = try backward(result, seed: 3)
        expectClose(
          try left.tensor.gradient?.floats() ?? [], zip(pairs, gradient).map { $0.1 * $1 },
          "left, \(count)")
        expectClose(
          try right.tensor.gradient?.floats() ?? [],
          zip(pairs, gradient).map { ($0.0 - 2 * $0.1) * $1 }, "right, \(count)")
      }
    }
  }

  /// One activation: the operator, its value and its slope.
  struct Activation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let apply: @Sendable (Tensor) throws -> Tensor
    let value: @Sendable (Double) -> Double
    let slope: @Sendable (Double) -> Double
  }

  static let activations = [
    Activation(
      testDescription: "relu", apply: { try $0.relu() }, value: { max($0, 0) },
      slope: { $0 > 0 ? 1 : 0 }),
    Activation(
      testDescription: "sigmoid", apply: { try $0.sigmoid() }, value: HostReference.sigmoid,
      slope: { HostReference.sigmoid($0) * (1 - HostReference.sigmoid($0)) }),
    Activation(
      testDescription: "quickgelu", apply: { try $0.quickGELU() },
      value: { $0 * HostReference.sigmoid(1.702 * $0) },
      slope: {
        let gate = HostReference.sigmoid(1.702 * $0)
        return gate + 1.702 * $0 * gate * (1 - gate)
      }),
    Activation(
      testDescription: "gelu", apply: { try $0.gelu() },
      value: HostReference.gelu,
      slope: {
        erfc(-$0 / 2.squareRoot()) / 2 + $0 * exp(-$0 * $0 / 2) / (2 * Double.pi).squareRoot()
      }),
  ]

  /// Where erfc is small a formula with 1 - erf would have no digit right.
  @Test("GELU keeps its digits far below zero", arguments: TestDevice.families)
  func geluTail(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let values = (0...120).map { Float($0) / -10 }
      let found = try Tensor(values, shape: [values.count], on: stream).gelu().floats()
      for (x, y) in zip(values, found) {
        let wanted = HostReference.gelu(Double(x))
        #expect(abs(Double(y) - wanted) <= 1e-5 * abs(wanted) + 1e-37, "gelu(\(x)) = \(y)")
      }
    }
  }

  @Test(
    "activations against float64, forward and backward", arguments: TestDevice.families,
    activations)
  func activation(family: DeviceFamily, activation: Activation) throws {
    try TestDevice.withStream(family) { stream in
      for count in Self.sizes {
        let x = try Operand([count], seed: 4, in: -8...8, on: stream)
        let result = try activation.apply(x.tensor)
        expectClose(try result.floats(), x.values.map(activation.value), "\(count) elements")
        let gradient = try backward(result, seed: 5)
        expectClose(
          try x.tensor.gradient?.floats() ?? [],
          zip(x.values, gradient).map { activation.slope($0) * $1 }, "gradient, \(count)")
      }
    }
  }

  @Test("activations take huge values and zero", arguments: TestDevice.families, activations)
  func extremes(family: DeviceFamily, activation: Activation) throws {
    try TestDevice.withStream(family) { stream in
      let values: [Float] = [-1e30, -1000, -0.0, 0, 1000, 1e30]
      let x = try Tensor(values, shape: [values.count], on: stream).trained("x")
      let result = try activation.apply(x)
      let wanted = values.map { activation.value(Double($0)) }
      expectClose(try result.floats(), wanted, "values")
      let ones = try Tensor(repeating: 1, shape: x.shape, on: stream)
      try result.backward(from: ones)
      expectClose(
        try x.gradient?.floats() ?? [], values.map { activation.slope(Double($0)) }, "gradient")
    }
  }

  @Test(
    "activations against the peer's numbers",
    .enabled(if: Fixture.available, "the fixture set is missing"),
    arguments: TestDevice.families, activations.filter { $0.testDescription != "gelu" })
  func activationFixtures(family: DeviceFamily, activation: Activation) throws {
    let files = Fixture.files("act", prefix: activation.testDescription)
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let x = try fixture.trained("x", on: stream)
        let result = try activation.apply(x)
        try fixture.expect(result, equals: "y")
        try result.backward(from: try fixture.tensor("grad_y", on: stream))
        try fixture.expect(x.gradient, equals: "grad_x")
      }
    }
  }

  @Test("a row added to every row", arguments: TestDevice.families)
  func addingRow(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for (rows, columns) in [(1, 1), (3, 15), (31, 16), (33, 17), (1031, 64), (7, 131), (0, 5)] {
        let x = try Operand([rows, columns], seed: 6, on: stream)
        let row = try Operand([columns], seed: 7, on: stream)
        let result = try x.tensor.addingRow(row.tensor)
        expectClose(
          try result.floats(), x.values.enumerated().map { $1 + row.values[$0 % columns] },
          "[\(rows), \(columns)]")
        let gradient = try backward(result, seed: 8)
        var sums = [Double](repeating: 0, count: columns)
        for (index, value) in gradient.enumerated() { sums[index % columns] += value }
        expectClose(try x.tensor.gradient?.floats() ?? [], gradient, "gradient, \(rows)")
        expectClose(try row.tensor.gradient?.floats() ?? [], sums, "row, [\(rows), \(columns)]")
      }
    }
  }

  /// Exponents below and above the limit of ln 100, where the result no longer grows.
  @Test(
    "scaling by an exponential, forward and backward", arguments: TestDevice.families,
    [Float(-2), 2.66, 4.7])
  func exponentialScale(family: DeviceFamily, exponent: Float) throws {
    try TestDevice.withStream(family) { stream in
      let scale = exp(min(Double(exponent), log(100)))
      for count in Self.sizes {
        let x = try Operand([count], seed: 9, on: stream)
        let power = try Tensor([exponent], shape: [], on: stream).trained("exponent")
        let result = try x.tensor.scaled(byExponentialOf: power)
        expectClose(try result.floats(), x.values.map { scale * $0 }, "\(count) elements")
        let gradient = try backward(result, seed: 10)
        expectClose(
          try x.tensor.gradient?.floats() ?? [], gradient.map { scale * $0 }, "gradient, \(count)")
        let slope = zip(x.values, gradient).reduce(0) { $0 + scale * $1.0 * $1.1 }
        expectClose(
          try power.gradient?.floats() ?? [], [exponent < Float(log(100.0)) ? slope : 0],
          "exponent, \(count)")
      }
    }
  }

  @Test("an empty tensor stays empty")
  func empty() throws {
    try TestDevice.withStream { stream in
      let nothing = try Tensor([Float](), shape: [0, 3], on: stream)
      #expect(try nothing.adding(nothing).floats().isEmpty)
      #expect(try nothing.relu().subtracting(nothing).sigmoid().quickGELU().gelu().floats().isEmpty)
    }
  }
}
