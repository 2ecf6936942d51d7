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
