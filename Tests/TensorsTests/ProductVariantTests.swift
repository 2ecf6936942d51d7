import TestSupport
import Testing

@testable import Tensors

/// Variants of products by tensor cores that a driver fails at, run in the kernels' emulation.
@Suite("Variants of tensor core products")
struct ProductVariantTests {
  /// A stream whose 16-bit products are emulated tensor cores' of the smallest tiles.
  private func emulated(
    tiles: Int = 1, _ body: (ComputeStream, TensorCores) throws -> Void
  ) throws {
    try StorageTests.withStream(.bfloat16) { stream in
      let cores = TensorCores(
        precision: .bf16, operands: .bfloat16, tiles: Array(WarpTile.all.suffix(tiles)),
        isEmulated: true)
      stream.matrix.activationCores = cores
      try body(stream, cores)
    }
  }

  private func product(_ m: Int, _ n: Int, _ k: Int) -> StorageTests.Case {
    StorageTests.Case("\(m)x\(n)x\(k)", [.activation([m, k]), .activation([n, k])]) {
      try $0[0].matrixProduct($0[1], transposeRight: true)
    }
  }

  @Test("every variant of a network's layers passes its trial, once")
  func trials() throws {
    try emulated { stream, _ in
      var tried: [ProductVariant] = []
      stream.matrix.variantTrial = { variant, cores in
        tried.append(variant)
        return cores.fault(of: variant, on: stream)
      }
      let layers = [3, 8, 64].flatMap(StorageTests.maps).filter {
        $0.description.contains("convolution") || $0.description.contains("product")
      }
      for one in layers + LinearEndingTests.cases(5, 16, 24) + LinearEndingTests.chains {
        try StorageTests.check(one, .bfloat16, on: stream)
      }
      for map in [[2, 5, 4, 8], [1, 6, 6, 64]] {
        _ = try ColumnStatisticsTests.run(map, outputs: 16, kernel: 3, fused: true, on: stream)
      }
      let faults = stream.matrix.faults.values.filter { !$0.isEmpty }
      #expect(faults == [])
      #expect(Set(tried).count == tried.count)
      let loaders = Set(tried.map { "\($0.left) \($0.right) \($0.scatters)" })
      #expect(
        loaders.isSuperset(of: [
          "rows transposed false", "rows rows false", "transposed rows false",
          "image transposed false", "image taps false", "image taps true",
          "transposed image false",
        ]), "\(loaders)")
      for kind in MatrixEpilogue.Kind.allCases {
        #expect(tried.contains { $0.epilogue == kind }, "\(kind)")
      }
      #expect(tried.contains { $0.hasStatistics && $0.hasWholeTaps })
      #expect(tried.contains { $0.hasWholeTaps } && tried.contains { $0.leftWidth == 1 })
    }
  }

  @Test("a tile that does not work is replaced by another, at last by the plain kernel")
  func replacement() throws {
    for failing in [1, 2] {
      try emulated(tiles: 2) { stream, cores in
        stream.matrix.variantTrial = { variant, _ in
          cores.tiles.suffix(failing).contains(variant.tile) ? "it does not build" : nil
        }
        try StorageTests.check(product(72, 56, 40), .bfloat16, on: stream)
        let working = Set(stream.matrix.faults.filter { $0.value.isEmpty }.map(\.key.tile))
        #expect(working == Set(cores.tiles.dropLast(failing)))
      }
    }
  }

  @Test("a trial tells in one line what does not compile")
  func fault() throws {
    try emulated { stream, cores in
      var variant: ProductVariant?
      stream.matrix.variantTrial = { given, _ in
        variant = given
        return nil
      }
      try StorageTests.check(product(8, 8, 8), .bfloat16, on: stream)
      let working = try #require(variant)
      #expect(cores.fault(of: working, on: stream) == nil)
      let broken = ProductVariant(
        working, tile: WarpTile(rows: 64, columns: 64, warpRows: 3, warpColumns: 2))
      let fault = try #require(cores.fault(of: broken, on: stream))
      #expect(!fault.contains("\n"))
    }
  }

  @Test("a weight's second gradient is added to the first by the product, whole and in pieces")
  func sums() throws {
    try emulated { stream, _ in
      for rows in [24, 1100] {
        let x = try [1, 2].map {
          try Tensor(randomFloats(rows * 16, seed: $0), shape: [rows, 16], on: stream)
            .converted(to: .bfloat16)
        }
        let values = randomFloats(8 * 16, seed: 3)
        func gradient(isKept: Bool) throws -> [Float] {
          let weight = try Tensor(values, shape: [8, 16], on: stream).trained("weight")
          let slot = try Tensor(repeating: 0, shape: [8, 16], on: stream, label: "slot")
          if isKept { weight.node?.slot = slot }
          for x in x {
            let y = try x.linear(weight: weight)
            try y.backward(
              from: Tensor(randomFloats(rows * 8, seed: 4), shape: [rows, 8], on: stream)
                .converted(to: .bfloat16))
          }
          let gradient = try #require(weight.gradient)
          #expect((gradient.buffer === slot.buffer) == isKept)
          return try gradient.floats()
        }
        expectClose(
          try gradient(isKept: true), try gradient(isKept: false).map(Double.init), "\(rows) rows")
      }
    }
  }
}
