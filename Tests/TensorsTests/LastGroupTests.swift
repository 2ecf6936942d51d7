import OpenCL
import TestSupport
import Testing

@testable import Tensors

/// Sums that the last work-group of a launch adds up, against those of another launch.
@Suite struct LastGroupTests {
  private func withStream(
    _ family: DeviceFamily = .generic, profiler: Profiler? = nil,
    _ body: (ComputeStream) throws -> Void
  ) throws {
    try TestDevice.withContext { context in
      try body(
        ComputeStream(
          context: Context(device: context.device, family: family, poisonsBuffers: true),
          profiler: profiler))
    }
  }

  @Test(
    "batch normalisation, forward and backward",
    arguments: [
      [1, 3], [31, 17], [33, 64], [700, 192], [5000, 6], [9000, 320], [3000, 1100],
    ])
  func batchNorm(shape: [Int]) throws {
    let profiler = Profiler()
    try withStream(profiler: profiler) { stream in
      let channels = shape[1]
      func run() throws -> [[Float]] {
        let x = try Operand(shape, seed: 1, in: -1...2, on: stream)
        let weight = try Operand([channels], seed: 3, on: stream)
        let bias = try Operand([channels], seed: 4, on: stream)
        let mean = try Operand([channels], seed: 5, on: stream)
        let variance = try Operand([channels], seed: 6, in: 0.5...2, on: stream)
        let result = try x.tensor.batchNorm(
          weight: weight.tensor, bias: bias.tensor, runningMean: mean.tensor,
          runningVariance: variance.tensor, relu: true)
        _ = try backward(result, seed: 7)
        return try [
          result.floats(), mean.tensor.floats(), variance.tensor.floats(),
          x.tensor.gradient?.floats() ?? [], weight.tensor.gradient?.floats() ?? [],
          bias.tensor.gradient?.floats() ?? [],
        ]
      }
      let wanted = try stream.adding(by: nil, run)
      try profiler.resolve()
      let before = profiler.records.count { $0.name.hasSuffix("_fold") }
      #expect(before == 2)
      let lastGroup = LastGroup(queue: stream.queue)
      // Twice: counters are left as they were found.
      for _ in 0..<2 {
        let found = try stream.adding(by: lastGroup, run)
        for (index, (found, wanted)) in zip(found, wanted).enumerated() {
          expectClose(found, wanted, relative: 1e-4, absolute: 1e-5, "\(shape), result \(index)")
        }
      }
      try profiler.resolve()
      #expect(profiler.records.count { $0.name.hasSuffix("_fold") } == before)
    }
  }

  @Test(
    "column sums, and those that are added to others",
    arguments: [[0, 5], [1, 3], [31, 17], [9000, 6], [5000, 260], [70_000, 4]])
  func columnSums(shape: [Int]) throws {
    try withStream { stream in
      let values = randomFloats(shape[0] * shape[1], seed: 1)
      let x = try Tensor(values, shape: shape, on: stream)
      var wanted = [Double](repeating: 0, count: shape[1])
      for (index, value) in values.enumerated() { wanted[index % shape[1]] += Double(value) }
      for lastGroup in [nil, LastGroup(queue: stream.queue)] {
        try stream.adding(by: lastGroup) {
          for type in [ElementType.float32, .bfloat16] {
            expectClose(
              try x.converted(to: type).columnSums().floats(), wanted,
              absolute: type == .float32 ? 1e-5 : 2e-2, "\(shape) \(type)")
          }
          // The gradient of a bias that has collected one already.
          let bias = try Tensor(repeating: 0, shape: [shape[1]], on: stream).trained("bias")
          bias.node?.slot = try Tensor(uninitialized: [shape[1]], on: stream, label: "slot")
          for _ in 0..<(shape[0] > 0 ? 2 : 0) {
            let sum = try Tensor(repeating: 0, shape: [shape[0], 8], on: stream).linear(
              weight: Tensor(repeating: 0, shape: [shape[1], 8], on: stream), bias: bias)
            try sum.backward(from: x)
          }
          if shape[0] > 0 {
            expectClose(
              try bias.gradient?.floats() ?? [], wanted.map { 2 * $0 }, absolute: 1e-5,
              "\(shape) twice")
          }
        }
      }
    }
  }

  @Test("work-groups that run at once do not share local memory")
  func manyLaunches() throws {
    // Four groups, of which two or more run at once where there are so many cores.
    let (rows, columns) = (9000, 6)
    let values = randomFloats(rows * columns, seed: 1)
    try withStream { stream in
      let x = try Tensor(values, shape: [rows, columns], on: stream)
      let wanted = try x.columnSums().floats()
      try stream.adding(by: LastGroup(queue: stream.queue)) {
        let sums = try (0..<4000).map { _ in try x.columnSums().floats() }
        // Partial sums are added up in the same order, by whichever group.
        #expect(sums.allSatisfy { $0 == sums[0] })
        expectClose(sums[0], wanted, absolute: 1e-4, "one launch")
      }
    }
  }

  @Test("the trial finds nothing wrong, and what is wrong")
  func trial() throws {
    try withStream { stream in
      #expect(LastGroup(queue: stream.queue).fault(on: stream) == nil)
      // As if others had counted themselves already: a group that is not the last adds up.
      let early = LastGroup(queue: stream.queue)
      try stream.queue.fill(try early.counters(8), pattern: 1)
      let fault = early.fault(on: stream) ?? ""
      #expect(fault.hasPrefix("a sum is "), "\(fault)")
      // No device that is not known to make writes visible.
      #expect(stream.lastGroup == nil)
    }
    try withStream(.nvidia) { #expect($0.lastGroup == nil) }
  }

  @Test(
    "pieces of a product's depth", arguments: [ElementType.float32, .bfloat16, .float16],
    [(rows: 150, columns: 140, depth: 400), (70, 77, 333), (3, 1, 200)])
  func pieces(type: ElementType, sizes: (rows: Int, columns: Int, depth: Int)) throws {
    try withStream { stream in
      let (m, n, k) = sizes
      let cores = TensorCores(
        precision: .tf32x3, operands: type, tiles: Array(WarpTile.all(for: type).suffix(1)),
        isEmulated: true)
      func tensor(_ count: Int, _ seed: UInt64) throws -> Tensor {
        try Tensor(randomFloats(count, seed: seed), shape: [count], on: stream)
      }
      let left = try tensor(2 * m * k, 1).converted(to: type)
      let right = try tensor(2 * k * n, 2).converted(to: type)
      let bias = try tensor(n, 3)
      let lastGroup = LastGroup(queue: stream.queue)
      for (adds, target) in [(false, ElementType.float32), (true, .float32), (false, type)] {
        let launch = MatrixLaunch(
          rows: m, columns: n, depth: k, batch: 2,
          left: MatrixOperand(buffer: left.buffer, loader: .rows, pitch: k, stride: m * k),
          right: MatrixOperand(buffer: right.buffer, loader: .rows, pitch: n, stride: k * n),
          bias: adds ? nil : bias.buffer, operandType: type, targetType: target, adds: adds)
        func run(_ splits: Int, by lastGroup: LastGroup?) throws -> [Float] {
          let result = try Tensor(
            repeating: 0.5, shape: [2 * m * n], on: stream
          ).converted(to: target)
          try stream.adding(by: lastGroup) {
            try launch.run(
              on: stream, into: result.buffer, with: cores, tuned: ["SPLITS": splits])
          }
          return try result.floats()
        }
        let whole = try run(1, by: nil)
        let digits: Double = target == .float32 ? 1e-5 : target == .float16 ? 2e-3 : 1.6e-2
        for splits in [2, 3, 5] {
          let apart = try run(splits, by: nil)
          let together = try run(splits, by: lastGroup)
          expectClose(
            apart, whole, relative: digits, absolute: digits, "\(splits) by another launch")
          expectClose(
            together, whole, relative: digits, absolute: digits, "\(splits) by the last group")
          // Without a bias the order of the sums is the same.
          if adds { #expect(together == apart) }
        }
      }
    }
  }

  @Test("more pieces than one group reads quickly are added up by another launch")
  func manyPieces() throws {
    let profiler = Profiler()
    try withStream(profiler: profiler) { stream in
      let (m, n, k) = (20, 30, 64 * 40)
      let cores = TensorCores(
        precision: .bf16, operands: .bfloat16,
        tiles: Array(WarpTile.all(for: .bfloat16).suffix(1)), isEmulated: true)
      let left = try Tensor(randomFloats(m * k, seed: 1), shape: [m, k], on: stream)
        .converted(to: .bfloat16)
      let right = try Tensor(randomFloats(k * n, seed: 2), shape: [k, n], on: stream)
        .converted(to: .bfloat16)
      let launch = MatrixLaunch(
        rows: m, columns: n, depth: k,
        left: MatrixOperand(buffer: left.buffer, loader: .rows, pitch: k),
        right: MatrixOperand(buffer: right.buffer, loader: .rows, pitch: n),
        operandType: .bfloat16)
      var results: [[Float]] = []
      for (splits, launches) in [(20, 0), (40, 1)] {
        let result = try Tensor(uninitialized: [m, n], on: stream, label: "product")
        try stream.adding(by: LastGroup(queue: stream.queue)) {
          try launch.run(on: stream, into: result.buffer, with: cores, tuned: ["SPLITS": splits])
        }
        results.append(try result.floats())
        try profiler.resolve()
        #expect(profiler.records.count { $0.name == "matrix_product_splits" } == launches)
      }
      expectClose(results[1], results[0], "40 pieces against 20")
    }
  }
}
