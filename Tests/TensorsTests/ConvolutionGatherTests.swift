import OpenCL
import OperatorChecks
import TestSupport
import Testing

@testable import Tensors

@Suite("Convolution of few channels")
struct ConvolutionGatherTests {
  typealias Case = ConvolutionTests.Case

  static let cases = [
    Case([1, 12, 11, 3], to: 16, kernel: [7, 7], stride: 2, padding: 3),
    Case([2, 37, 141, 3], to: 17, kernel: [7, 7], stride: 2, padding: 3),
    Case([2, 9, 70, 4], to: 16, kernel: [3, 3], padding: 1),
    Case([1, 64, 64, 2], to: 33, kernel: [3, 3], padding: 1),
    Case([2, 23, 19, 2], to: 19, kernel: [3, 3], stride: 3, padding: 1, dilation: 2),
    Case([1, 26, 133, 1], to: 16, kernel: [5, 3], stride: 2, padding: 2, dilation: 2),
    Case([1, 20, 17, 3], to: 18, kernel: [3, 4], stride: 3),
    // Pixels that no tap meets: between the patches, at the end.
    Case([2, 15, 17, 4], to: 16, kernel: [2, 2], stride: 4),
    Case([1, 19, 18, 4], to: 16, kernel: [2, 2], stride: 8, padding: 1),
    // Patches that lie in the padding alone.
    Case([2, 5, 6, 3], to: 16, kernel: [3, 3], padding: 4),
    Case([1, 3, 2, 3], to: 16, kernel: [3, 3], stride: 2, padding: 5),
    Case([3, 1, 1, 3], to: 16, kernel: [3, 3], padding: 1),
    Case([2, 1, 50, 12], to: 1, kernel: [1, 7], stride: 2, padding: 3),
    Case([0, 4, 4, 3], to: 16, kernel: [3, 3], padding: 1),
  ]

  @Test("gradients against double precision", arguments: TestDevice.families)
  func reference(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for form in Self.cases {
        let pays = ConvolutionGather(form: form.form).pays(on: stream)
        #expect(pays == (family == .cpu), "\(form)")
        try ConvolutionTests().check(form, on: stream)
      }
    }
  }

  @Test("the input's gradient, however the output is divided", arguments: [1, 1 << 15, 1 << 26])
  func chunks(bytes: Int) throws {
    try TestDevice.withStream(.cpu) { stream in
      for form in Self.cases where form.input[0] > 0 {
        let weights = randomFloats(form.weight.reduce(1, *), seed: 2)
        let gradients = randomFloats(form.result.reduce(1, *), seed: 4)
        let nothing = [Double](repeating: 0, count: form.input.reduce(1, *))
        let gradient = try Tensor(gradients, shape: form.result, on: stream)
        let weight = try Tensor(weights, shape: form.weight, on: stream)
        let results = try (0..<2).map { _ in
          let result = try Tensor(uninitialized: form.input, on: stream, label: "result")
          try ConvolutionGather(form: form.form, chunkBytes: bytes)
            .run(gradient, weight, into: result)
          return try result.floats()
        }
        let wanted = form.gradients(
          nothing, weights.map(Double.init), of: gradients.map(Double.init)
        ).x
        expectClose(results[0], wanted, "\(form), \(bytes) bytes")
        #expect(results[0] == results[1], "\(form): not the same twice")
      }
    }
  }

  @Test("the gradient may be a part of a part of memory")
  func parts() throws {
    try TestDevice.withStream { stream in
      let whole = try Tensor((0..<512).map { Float($0) }, shape: [512], on: stream)
      let part = try whole.part(64..<512, shape: [448]).part(128..<192, shape: [8, 8])
      #expect(try part.floats() == (192..<256).map { Float($0) })
    }
  }
}

extension HostReference.Convolution {
  /// The sizes as the operators take them.
  fileprivate var form: ConvolutionForm {
    ConvolutionForm(
      input: input, weight: weight, stride: stride, padding: padding, dilation: dilation)
  }
}
