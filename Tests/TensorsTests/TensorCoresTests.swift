import Foundation
import OpenCL
import TestSupport
import Testing

@testable import Tensors

/// The kernel for tensor cores, run in its emulation: tiling, edges and fragments without the GPU.
@Suite("Tensor cores")
struct TensorCoresTests {
  static let small = WarpTile.all.suffix(1)

  /// Runs `body` with a stream whose matrix products are emulated tensor cores'.
  private func emulated(
    _ precision: MatrixPrecision = .tf32x3, tiles: some Collection<WarpTile> = Self.small,
    _ body: (ComputeStream, TensorCores) throws -> Void
  ) throws {
    let cores = TensorCores(precision: precision, tiles: Array(tiles), isEmulated: true)
    try TestDevice.withStream(.generic) { stream in
      stream.matrix.tensorCores = cores
      defer { stream.matrix.tensorCores = nil }
      try body(stream, cores)
    }
  }

  @Test("products and gradients, every transpose: edges, batches, splits, no depth")
  func products() throws {
    // Odd sizes are copied float by float, multiples of 4 four at a time.
    let sizes = [
      MatrixProductTests.Sizes(batch: 1, rows: 77, columns: 75, depth: 85),
      MatrixProductTests.Sizes(batch: 2, rows: 68, columns: 72, depth: 52),
      MatrixProductTests.Sizes(batch: 1, rows: 5, columns: 7, depth: 1101),
      MatrixProductTests.Sizes(batch: 1, rows: 4, columns: 8, depth: 0),
    ]
    try emulated { stream, _ in
      for size in sizes {
        for transposes in 0..<4 {
          try MatrixProductTests().check(
            size, transposes & 1 != 0, transposes & 2 != 0, on: stream)
        }
      }
    }
  }

  @Test("convolutions and gradients: strides, dilation, edges of images")
  func convolutions() throws {
    let forms = [
      ConvolutionTests.Case([2, 7, 6, 16], to: 20, kernel: [3, 3], padding: 1),
      ConvolutionTests.Case([1, 9, 8, 5], to: 7, kernel: [3, 3], stride: 2, padding: 1),
      ConvolutionTests.Case(
        [1, 8, 9, 4], to: 8, kernel: [3, 3], stride: 2, padding: 2, dilation: 2),
    ]
    try emulated { stream, _ in
      for form in forms { try ConvolutionTests().check(form, on: stream) }
    }
  }

  @Test("adding to a target whose matrices lie apart", arguments: WarpTile.all)
  func adds(tile: WarpTile) throws {
    let (batch, rows, columns, depth, apart) = (2, 131, 67, 20, 131 * 67 + 3)
    let left = randomFloats(batch * rows * depth, seed: 1)
    let right = randomFloats(batch * columns * depth, seed: 2)
    let before = randomFloats(batch * apart, seed: 3)
    var want = before.map(Double.init)
    for index in 0..<batch * rows * columns {
      let (entry, row, column) = (
        index / columns / rows, index / columns % rows, index % columns
      )
      for k in 0..<depth {
        want[entry * apart + row * columns + column] +=
          Double(left[(entry * rows + row) * depth + k])
          * Double(right[(entry * columns + column) * depth + k])
      }
    }
    try emulated(tiles: [tile]) { stream, _ in
      let target = try Tensor(before, shape: [before.count], on: stream)
      let operands = try [left, right].map { try Tensor($0, shape: [$0.count], on: stream) }
      try MatrixLaunch(
        rows: rows, columns: columns, depth: depth, batch: batch,
        left: MatrixOperand(
          buffer: operands[0].buffer, loader: .rows, pitch: depth, stride: rows * depth),
        right: MatrixOperand(
          buffer: operands[1].buffer, loader: .transposed, pitch: depth, stride: columns * depth),
        targetStride: apart, adds: true
      ).run(on: stream, into: target.buffer)
      expectClose(try target.floats(), want, "\(tile)")
    }
  }

  @Test(
    "the trial accepts each precision's rounding",
    arguments: [MatrixPrecision.tf32x3, .tf32, .bf16])
  func trial(precision: MatrixPrecision) throws {
    try emulated(precision) { stream, cores in #expect(cores.fault(on: stream) == nil) }
  }

  @Test("the trial tells in one line that a kernel does not compile or is too coarse")
  func faults() throws {
    let broken = WarpTile(rows: 64, columns: 64, warpRows: 0, warpColumns: 2)
    try emulated(tiles: [broken]) { stream, cores in
      let fault = try #require(cores.fault(on: stream))
      #expect(fault.hasPrefix("it does not compile: ") && !fault.contains("\n"), "\(fault)")
    }
    try emulated(.bf16) { stream, cores in
      let fault = try #require(cores.fault(on: stream, within: 1e-4))
      #expect(fault.hasPrefix("the device computes them wrong"), "\(fault)")
    }
  }

  @Test("profiles name the kernel with its precision")
  func label() throws {
    try TestDevice.withContext { context in
      let profiler = Profiler()
      let stream = try ComputeStream(
        context: Context(device: context.device, family: .generic), profiler: profiler)
      stream.matrix.tensorCores = TensorCores(
        precision: .tf32x3, tiles: Array(Self.small), isEmulated: true)
      let x = try Tensor(repeating: 1, shape: [4, 4], on: stream, label: "ones")
      #expect(try x.matrixProduct(x).floats() == [Float](repeating: 4, count: 16))
      try profiler.resolve()
      #expect(stream.matrix.kernelName == "matrix_product_forward_nvidia tf32x3")
      #expect(profiler.records.contains { $0.name == stream.matrix.kernelName })
    }
  }

  @Test("other devices have none, whatever is asked for")
  func otherDevices() throws {
    try TestDevice.withStream(.generic) { stream in
      #expect(TensorCores.usable(.tf32, for: .float32, on: stream) == nil)
      #expect(stream.matrix.kernelName == "matrix_product_forward float32")
    }
  }

  @Test("a device that calls itself NVIDIA's without saying how capable it is has none")
  func incapable() throws {
    try TestDevice.withContext { context in
      let stream = try ComputeStream(
        context: Context(device: context.device, family: .nvidia, poisonsBuffers: true))
      if context.device.family != .nvidia { #expect(stream.matrix.tensorCores == nil) }
    }
  }

  @Test("the precision that the environment asks for")
  func environment() throws {
    #expect(try MatrixPrecision.wanted(in: [:]) == nil)
    #expect(try MatrixPrecision.wanted(in: ["BARON_MATRIX_PRECISION": ""]) == nil)
    #expect(try MatrixPrecision.wanted(in: ["BARON_MATRIX_PRECISION": "bf16"]) == .bf16)
    #expect {
      try MatrixPrecision.wanted(in: ["BARON_MATRIX_PRECISION": "half"])
    } throws: {
      "\($0)"
        == "BARON_MATRIX_PRECISION=half: no such precision; take one of float32, tf32x3, tf32, bf16"
    }
  }

  /// The tile and the pieces that a device of 132 units takes for a bf16 product of its own pitches.
  private func choice(
    _ rows: Int, _ columns: Int, _ depth: Int, batch: Int = 1, left: MatrixLoader = .rows,
    right: MatrixLoader = .transposed, on stream: ComputeStream
  ) throws -> ProductCost.Choice {
    let buffer = try stream.queue.allocate(bytes: 4, label: "operand")
    let launch = MatrixLaunch(
      rows: rows, columns: columns, depth: depth, batch: batch,
      left: MatrixOperand(
        buffer: buffer, loader: left, pitch: left == .rows ? depth : rows),
      right: MatrixOperand(
        buffer: buffer, loader: right, pitch: right == .rows ? columns : depth),
      operandType: .bfloat16)
    let cores = TensorCores(
      precision: .bf16, operands: .bfloat16, tiles: WarpTile.all(for: .bfloat16))
    return ProductCost(ProductSizes(launch), with: cores, units: 132).cheapest
  }

  @Test("tile and pieces are chosen together: large products whole, weight gradients cut")
  func choices() throws {
    try TestDevice.withStream(.generic) { stream in
      let square = try choice(8192, 8192, 8192, on: stream)
      #expect(square.tile.rows + square.tile.columns == 384 && square.splits == 1)
      // 256 groups of 128 x 128 fill 132 units nearly twice: no pieces, which cost 100 MB.
      let nearlyTwice = try choice(8192, 512, 2048, on: stream)
      #expect(nearlyTwice.splits == 1)
      let weights = try choice(
        256, 2304, 67_200, left: .transposed, right: .rows, on: stream)
      #expect(weights.tile.rows >= 128 && weights.tile.columns >= 128 && weights.splits > 1)
      let small = try choice(50, 50, 64, batch: 384, on: stream)
      #expect([small.tile.rows, small.tile.columns] == [64, 64] && small.splits == 1)
      let narrow = try choice(268_800, 64, 64, on: stream)
      #expect(narrow.tile.columns == 64)
    }
  }

  @Test("more pieces than the depth has are not estimated, batches are not cut")
  func pieces() throws {
    try TestDevice.withStream(.generic) { stream in
      let (shallow, deep) = (
        try choice(64, 64, 511, on: stream), try choice(64, 64, 65_536, on: stream)
      )
      #expect(shallow.splits == 1 && deep.splits > 1)
      let batch = try choice(64, 64, 65_536, batch: 2, on: stream)
      #expect(batch.splits == 1)
    }
  }

  @Test("every tile fits into the 48 KiB of a work-group and is legal")
  func tiles() {
    for type in [ElementType.float32, .bfloat16] {
      let depth = WarpTile.depth(of: type)
      for tile in WarpTile.all(for: type) {
        #expect(
          tile.stages * depth * type.bytes * (tile.rows + tile.columns) <= 48 << 10, "\(tile)")
        #expect(tile.isLegal(for: type, depth: depth), "\(tile)")
      }
    }
    #expect(!WarpTile.wide[0].isLegal(for: .float32, depth: 16))
  }
}
