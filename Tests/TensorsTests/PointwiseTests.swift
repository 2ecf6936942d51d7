import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Pointwise operators")
struct PointwiseTests {
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

  @Test("an empty tensor stays empty")
  func empty() throws {
    try TestDevice.withStream { stream in
      let nothing = try Tensor([Float](), shape: [0, 3], on: stream)
      #expect(try nothing.adding(nothing).floats().isEmpty)
    }
  }
}
