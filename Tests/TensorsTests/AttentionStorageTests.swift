import OpenCL
import OperatorChecks
import TestSupport
import Testing

@testable import Tensors

extension AttentionTests {
  /// How far a result may be from float64; `absolute` beside its largest number.
  struct Tolerance {
    var relative = 1e-4
    var absolute = 1e-5
  }

  /// Checks an attention of stored numbers and its gradient against float64.
  func check(
    _ test: Case, storing type: ElementType, forward: Tolerance, backward: Tolerance,
    on stream: ComputeStream
  ) throws {
    let width = test.heads * test.headWidth
    func operand(_ columns: Int, seed: UInt64, in range: ClosedRange<Float>) throws -> Tensor {
      try Tensor(
        randomFloats(test.batch * test.length * columns, seed: seed, in: range),
        shape: [test.batch, test.length, columns], on: stream
      ).converted(to: type)
    }
    let qkv = try operand(3 * width, seed: 1, in: -2...2).trained("qkv")
    let gradient = try operand(width, seed: 2, in: -1...1)
    let (mask, combined) = try masks(test, on: stream)
    let result = try qkv.attention(
      heads: test.heads, causal: test.mask == .causal || test.mask == .causalAndShared, mask: mask)
    try result.backward(from: gradient)
    let wanted = reference(
      try qkv.floats().map(Double.init), masks: combined,
      gradient: try gradient.floats().map(Double.init), test)
    #expect(result.elementType == type && qkv.gradient?.elementType == type)
    expectClose(
      try result.floats(), wanted.output, relative: forward.relative, absolute: forward.absolute,
      "\(test) \(type)")
    expectClose(
      try qkv.gradient?.floats() ?? [], wanted.gradient, relative: backward.relative,
      absolute: backward.absolute, "gradient of \(test) \(type)")
  }
}

@Suite("Attention in 16 bits")
struct AttentionStorageTests {
  @Test(
    "the generic kernels and the CPU's, forward and backward",
    arguments: [ElementType.bfloat16, .float16], AttentionTests.cases)
  func generic(type: ElementType, test: AttentionTests.Case) throws {
    // A result is rounded once; the gradient starts from a stored result.
    let half = type == .bfloat16 ? 0x1p-8 : 0x1p-11
    for family in TestDevice.families where family == .generic || family == .cpu {
      try TestDevice.withStream(family) { stream in
        try AttentionTests().check(
          test, storing: type, forward: .init(relative: half),
          backward: .init(relative: half, absolute: 2 * half), on: stream)
      }
    }
  }
}
