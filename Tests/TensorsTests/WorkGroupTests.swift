import OpenCL
import TestSupport
import Testing

@testable import Tensors

/// Generic kernels on devices whose work-groups are small.
@Suite struct WorkGroupTests {
  @Test("operators give what they give with large groups", arguments: [32, 64, 100])
  func small(largest: Int) throws {
    func run(_ stream: ComputeStream) throws -> [[Float]] {
      let x = try Tensor(randomFloats(300 * 77, seed: 1), shape: [300, 77], on: stream)
        .trained("x")
      let y = try Tensor(randomFloats(300 * 50, seed: 2), shape: [300, 50], on: stream)
      let product = try x.matrixProduct(y, transposeLeft: true)
      try product.backward(
        from: try Tensor(randomFloats(product.count, seed: 3), shape: product.shape, on: stream))
      let best = try y.reshaped([1, 15_000]).largest(of: RowSegments(lengths: [15_000], limit: 200))
      return [
        try product.floats(), try x.gradient?.floats() ?? [], try y.softmax().floats(),
        try y.columnSums().floats(), try y.sum().floats(), try best.values.floats(),
        try y.adding(y).floats(),
      ]
    }
    let wanted = try TestDevice.withStream(.generic) { try run($0) }
    try TestDevice.withContext(family: .generic, largestWorkGroup: largest) { context in
      let got = try run(try ComputeStream(context: context))
      for (index, (got, wanted)) in zip(got, wanted).enumerated() {
        expectClose(got, wanted, relative: 1e-5, "result \(index), groups of \(largest)")
      }
    }
  }

  @Test("more elements than kernels count are refused, not counted wrong")
  func manyElements() throws {
    try TestDevice.withStream { stream in
      let kernel = try stream.library.kernel("pointwise_scale_forward", in: "Pointwise")
      let error = #expect(throws: OpenCLError.self) {
        try stream.launchElements(kernel, count: 1 << 31, [])
      }
      #expect("\(try #require(error))".contains("cannot visit 2147483648 elements"))
    }
  }

  @Test("a size that no int holds is refused by the kernel's name")
  func largeArgument() throws {
    try TestDevice.withStream { stream in
      let kernel = try stream.library.kernel("pointwise_scale_forward", in: "Pointwise")
      let error = #expect(throws: OpenCLError.self) {
        try stream.queue.launch(kernel, global: [1], local: [1], [.int(1 << 40)])
      }
      #expect(
        "\(try #require(error))".contains("argument 0 of pointwise_scale_forward is 1099511627776"))
    }
  }
}
