import OpenCL
import TestSupport
import Testing

@testable import Tensors

/// The product of 16-bit operands by tensor cores, run in its emulation.
@Suite("Tensor cores on 16-bit operands")
struct MatrixProduct16BitNVIDIATests {
  @Test("tensor cores in emulation, every transpose, edges and copies of both widths")
  func tensorCores() throws {
    try StorageTests.withStream(.bfloat16) { stream in
      for tile in WarpTile.all(for: .bfloat16) {
        let isSmall = tile == WarpTile.all.last
        stream.matrix.activationCores = TensorCores(
          precision: .bf16, operands: .bfloat16, tiles: [tile], isEmulated: true)
        for (m, n, k) in isSmall ? [(77, 75, 85), (72, 136, 40), (4, 8, 0)] : [(136, 72, 40)] {
          for transposes in isSmall ? 0..<4 : 2..<3 {
            let (left, right) = (transposes & 1 != 0, transposes & 2 != 0)
            let product = StorageTests.Case(
              "\(tile) \(m)x\(n)x\(k) \(left) \(right)",
              [.activation(left ? [k, m] : [m, k]), .activation(right ? [n, k] : [k, n])]
            ) { try $0[0].matrixProduct($0[1], transposeLeft: left, transposeRight: right) }
            try StorageTests.check(product, .bfloat16, on: stream)
          }
        }
      }
      for one in [3, 72].flatMap(StorageTests.maps) where one.description.contains("convolution") {
        try StorageTests.check(one, .bfloat16, on: stream)
      }
      #expect(stream.matrix.kernelName == "matrix_product_forward_nvidia_16bit bfloat16")
    }
  }

  @Test("three colours, twelve scores and patches side by side are copied 16 bytes at a time")
  func alignment() throws {
    try StorageTests.withStream(.bfloat16) { stream in
      let cores = TensorCores(
        precision: .bf16, operands: .bfloat16, tiles: Array(WarpTile.all.suffix(1)),
        isEmulated: true)
      stream.matrix.activationCores = cores
      let colours = ConvolutionForm(
        input: [1, 35, 32, 3], weight: [12, 3, 3, 3], stride: 1, padding: 1, dilation: 1)
      #expect(colours.strips(of: .bfloat16, on: stream) == nil)
      let patches = ConvolutionForm(
        input: [1, 128, 132, 2], weight: [8, 4, 4, 2], stride: 4, padding: 0, dilation: 1)
      #expect(patches.strips(of: .bfloat16, on: stream)?.channels == 8)
      let cases = [
        StorageTests.Case(
          "three colours", [.activation([1, 35, 32, 3]), .parameter([12, 3, 3, 3])]
        ) { try $0[0].convolution(weight: $0[1], padding: 1) },
        StorageTests.Case(
          "twelve scores", [.activation([1, 35, 32, 16]), .parameter([12, 1, 1, 16])]
        ) { try $0[0].convolution(weight: $0[1]) },
        StorageTests.Case(
          "patches", [.activation([1, 128, 132, 2]), .parameter([8, 4, 4, 2])]
        ) { try $0[0].convolution(weight: $0[1], stride: 4) },
      ]
      for one in cases { try StorageTests.check(one, .bfloat16, on: stream) }
    }
  }

  @Test("the second gradient of a tensor is added by what makes it, and a shared one stays")
  func secondGradients() throws {
    let twoConvolutions = StorageTests.Case(
      "two convolutions",
      [.activation([2, 9, 8, 16]), .parameter([8, 3, 3, 16]), .parameter([8, 1, 1, 16])]
    ) { operands in
      let x = try operands[0].scaled(by: 1)
      return try x.convolution(weight: operands[1], stride: 2, padding: 1)
        .adding(x.convolution(weight: operands[2], stride: 2)).scaled(by: 1)
    }
    let norm = StorageTests.Case(
      "residual of a norm",
      [.activation([5, 16]), .parameter([16]), .parameter([16]), .parameter([16, 16])]
    ) { operands in
      let x = try operands[0].scaled(by: 1)
      return try x.adding(
        x.layerNorm(weight: operands[1], bias: operands[2]).linear(weight: operands[3])
      ).scaled(by: 1)
    }
    // The sum's gradient is that of both terms when the layer's gradient arrives.
    let shared = StorageTests.Case("residual", [.activation([5, 16]), .parameter([16, 16])]) {
      let x = try $0[0].scaled(by: 1)
      return try x.adding(x.linear(weight: $0[1])).scaled(by: 1)
    }
    try TestDevice.withContext { context in
      // In float32, without tensor cores, and in bfloat16: the sum itself and that of gradients.
      for (one, sums) in [(twoConvolutions, 2 + 1), (norm, 1 + 1), (shared, 2 + 2)] {
        let profiler = Profiler()
        let stream = try ComputeStream(
          context: Context(device: context.device, family: .generic, poisonsBuffers: true),
          profiler: profiler, activationType: .bfloat16)
        stream.matrix.activationCores = TensorCores(
          precision: .bf16, operands: .bfloat16, tiles: Array(WarpTile.all.suffix(1)),
          isEmulated: true)
        try StorageTests.check(one, .bfloat16, on: stream)
        try profiler.resolve()
        let launches = profiler.records.count { $0.name == "pointwise_add_forward" }
        #expect(launches == sums, "\(one)")
      }
    }
  }

  @Test("the trial of the 16-bit kernel", arguments: StorageTests.types)
  func trial(type: ElementType) throws {
    try StorageTests.withStream(type) { stream in
      let cores = TensorCores(
        precision: .bf16, operands: type, tiles: Array(WarpTile.all.suffix(1)), isEmulated: true)
      #expect(cores.fault(on: stream) == nil)
      let fault = cores.fault(on: stream, within: 1e-9) ?? ""
      #expect(fault.hasPrefix("the device computes them wrong"), "\(fault)")
    }
  }
}
