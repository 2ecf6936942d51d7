import OpenCL
import TestSupport
import Testing

@testable import Tensors

/// Statistics that a convolution's product writes for the batch norm after it, in the kernels'
/// emulation, against those of a launch of their own.
@Suite("Statistics of a product's columns")
struct ColumnStatisticsTests {
  /// A convolution of a drawn map and batch norm: the result, the running statistics and the gradients.
  static func run(
    _ map: [Int], outputs: Int, kernel: Int, fused: Bool, on stream: ComputeStream
  ) throws -> [[Float]] {
    func tensor(_ shape: [Int], _ seed: UInt64, in range: ClosedRange<Float> = -1...1) throws
      -> Tensor
    {
      try Tensor(
        randomFloats(shape.reduce(1, *), seed: seed).map {
          range.lowerBound + ($0 + 1) / 2 * (range.upperBound - range.lowerBound)
        }, shape: shape, on: stream)
    }
    let x = try tensor(map, 1, in: 1...2).converted(to: .bfloat16)
    let weight = try tensor([outputs, kernel, kernel, map[3]], 2).trained("weight")
    let (scale, shift) = (
      try tensor([outputs], 3).trained("scale"), try tensor([outputs], 4).trained("shift")
    )
    let (mean, variance) = (try tensor([outputs], 5), try tensor([outputs], 6, in: 1...2))
    let columns =
      fused ? try x.columnStatistics(runningMean: mean, runningVariance: variance) : nil
    let y = try x.convolution(weight: weight, padding: kernel / 2, statistics: columns)
      .batchNorm(
        weight: scale, bias: shift, runningMean: mean, runningVariance: variance, relu: true,
        columns: columns
      ).converted(to: .float32)
    _ = try backward(y, seed: 7)
    return try [y, mean, variance].map { try $0.floats() }
      + [weight, scale, shift].map { try #require($0.gradient).floats() }
  }

  /// Maps of few rows, of two tiles and a part, of one row beyond a tile; columns of a part of a tile and
  /// of more than one; whole taps and not.
  static let cases: [(map: [Int], outputs: Int, kernel: Int)] = [
    ([1, 2, 3, 8], 4, 1), ([1, 13, 5, 8], 68, 1), ([2, 9, 8, 64], 72, 3), ([1, 12, 13, 16], 8, 3),
  ]

  @Test(
    "as by a launch of their own, joined by the last group or by a launch",
    arguments: [WarpTile.all[2], WarpTile.all[0]])
  func statistics(tile: WarpTile) throws {
    try LinearEndingTests().emulated(.bfloat16, tile: tile) { stream, profiler in
      for one in tile == WarpTile.all[2] ? Self.cases : [([1, 12, 13, 16], 136, 1)] {
        func run(_ fused: Bool) throws -> [[Float]] {
          try Self.run(
            one.map, outputs: one.outputs, kernel: one.kernel, fused: fused, on: stream)
        }
        let wanted = try run(false)
        for lastGroup in [nil, LastGroup(queue: stream.queue)] {
          try profiler.reset()
          // Twice: counters are left as they were found.
          for _ in 0..<2 {
            let found = try stream.adding(by: lastGroup) { try run(true) }
            for (part, (found, wanted)) in zip(found, wanted).enumerated() {
              let digits = part == 1 || part == 2 ? 1e-5 : 2e-2
              expectClose(
                found, wanted.map(Double.init), relative: digits, absolute: digits,
                "\(one), part \(part)")
            }
          }
          try profiler.resolve()
          let names = profiler.records.map(\.name)
          #expect(!names.contains("batch_norm_statistics"))
          #expect(
            names.count { $0 == "batch_norm_statistics_fold" } == (lastGroup == nil ? 2 : 0))
        }
      }
    }
  }

  @Test("a trial that fails leaves them to a launch of their own")
  func fault() throws {
    try LinearEndingTests().emulated(.bfloat16, tile: WarpTile.all[2]) { stream, profiler in
      stream.matrix.variantTrial = { variant, _ in variant.hasStatistics ? "wrong" : nil }
      _ = try Self.run([1, 4, 4, 8], outputs: 8, kernel: 1, fused: true, on: stream)
      try profiler.resolve()
      #expect(profiler.records.contains { $0.name == "batch_norm_statistics" })
    }
  }
}
