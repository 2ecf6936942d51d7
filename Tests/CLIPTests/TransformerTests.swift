import Checkpoints
import Layers
import OpenCL
import Tensors
import TestSupport
import Testing

@testable import CLIP

@Suite("CLIP's transformer blocks")
struct TransformerTests {
  /// The kernels of a block's forward and backward pass, in order, with its result and the gradient
  /// of its input.
  private func block(
    _ activation: CLIPConfiguration.Activation, _ type: ElementType, _ family: DeviceFamily
  ) throws -> (forward: [String], backward: [String], values: [[Float]]) {
    var found: (forward: [String], backward: [String], values: [[Float]]) = ([], [], [])
    try TestDevice.withContext { context in
      let profiler = Profiler()
      let stream = try ComputeStream(
        context: Context(device: context.device, family: family, poisonsBuffers: true),
        profiler: profiler, activationType: type)
      let store = ParameterStore(stream: stream, seed: 3)
      let tower = CLIPConfiguration.Tower(
        width: 32, layers: 1, heads: 2, mlpWidth: 72, activation: activation)
      let block = try TransformerBlock(store.root / "block", tower: tower)
      let x = try Tensor(randomFloats(3 * 5 * 32, seed: 1), shape: [3, 5, 32], on: stream)
        .asActivation().trained("x")
      func names() throws -> [String] {
        try profiler.resolve()
        // Without what fills new memory for the test, and the weights' own rounding.
        return profiler.records.map(\.name)
          .filter { $0 != "fill" && $0 != "pointwise_narrow_forward" }
      }
      let before = try names().count
      let result = try block(x, causal: true, mask: nil)
      found.forward = Array(try names().dropFirst(before))
      let upstream = try Tensor(randomFloats(x.count, seed: 2), shape: x.shape, on: stream)
        .asActivation()
      let between = try names().count
      try result.backward(from: upstream)
      found.backward = Array(try names().dropFirst(between))
      found.values = [try result.floats(), try #require(x.gradient).floats()]
    }
    return found
  }

  @Test(
    "sums and activations are launches of their own on CPUs alone, and the values agree",
    arguments: CLIPConfiguration.Activation.allCases)
  func launches(activation: CLIPConfiguration.Activation) throws {
    let activated = activation == .gelu ? "pointwise_gelu" : "pointwise_quick_gelu"
    let cpu = try block(activation, .float32, .cpu)
    #expect(cpu.forward.count { $0 == "pointwise_add_forward" } == 2)
    #expect(cpu.forward.count { $0 == "\(activated)_forward" } == 1)
    for type in [ElementType.float32, .bfloat16, .float16] {
      let gpu = try block(activation, type, .generic)
      #expect(
        gpu.forward == [
          "layer_norm_forward", "matrix_product_forward", "attention_forward_row",
          "matrix_product_forward then residual", "layer_norm_forward",
          "matrix_product_forward then \(activation == .gelu ? "gelu" : "quickGELU")",
          "matrix_product_forward then residual",
        ])
      #expect(gpu.backward.count { $0 == "\(activated)_backward" } == 0)
      #expect(gpu.backward.count { $0.lowercased().hasSuffix("gelugradient") } == 1)
      // The norms add to the gradients of the sums, but not to the one that the test still holds.
      #expect(gpu.backward.count { $0.hasPrefix("pointwise_add") } == 1)
      let limit = type == .float32 ? 1e-5 : type == .bfloat16 ? 2e-2 : 3e-3
      for (got, want) in zip(gpu.values, cpu.values) {
        let largest = want.reduce(0) { max($0, abs($1)) }
        let worst = zip(got, want).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(Double(worst) <= limit * Double(largest), "\(type): \(worst) of \(largest)")
      }
    }
  }
}
