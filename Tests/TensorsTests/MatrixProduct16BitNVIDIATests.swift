import Testing

@testable import Tensors

/// The product of 16-bit operands by tensor cores, run in its emulation.
@Suite("Tensor cores on 16-bit operands")
struct MatrixProduct16BitNVIDIATests {
  @Test("tensor cores in emulation, every transpose, edges and copies of both widths")
  func tensorCores() throws {
    try StorageTests.withStream(.bfloat16) { stream in
      for tile in WarpTile.all {
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
