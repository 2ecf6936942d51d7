import Foundation
import OpenCL
import TestSupport
import Testing

@testable import Tensors

/// Linear layers with a residual sum or an activation after them, in the product where there are
/// work-groups.
@Suite("Endings of linear layers")
struct LinearEndingTests {
  /// What comes after a layer.
  enum Kind: CaseIterable {
    case residual, quickGELU, gelu, relu

    /// The ending's value and its slope in float64.
    func value(_ x: Double) -> (value: Double, slope: Double) {
      switch self {
      case .residual: return (x, 1)
      case .quickGELU:
        let gate = 1 / (1 + exp(-1.702 * x))
        return (x * gate, gate * (1 + 1.702 * x * (1 - gate)))
      case .gelu:
        let integral = erfc(-x / 2.squareRoot()) / 2
        return (x * integral, integral + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot())
      case .relu: return (max(x, 0), x > 0 ? 1 : 0)
      }
    }

    func ending(_ residual: Tensor?) -> LinearEnding {
      switch self {
      case .residual: residual.map { .addedTo($0) } ?? .activated(.gelu)
      case .quickGELU: .activated(.quickGELU)
      case .gelu: .activated(.gelu)
      case .relu: .activated(.relu)
      }
    }
  }

  /// One number, edges of tiles, odd rows and columns, whole pairs, a depth that is worth splitting,
  /// no depth, no rows.
  static let sizes = [
    (1, 1, 1), (13, 31, 15), (67, 66, 20), (68, 72, 52), (5, 7, 1101), (6, 8, 1104), (3, 4, 0),
    (0, 6, 5),
  ]

  /// The endings of layers of 16-bit activations.
  static func cases(_ m: Int, _ n: Int, _ k: Int) -> [StorageTests.Case] {
    [true, false].flatMap { hasBias in
      Kind.allCases.map { kind in
        let isSum = kind == .residual
        return StorageTests.Case(
          "\(m)x\(n)x\(k) then \(kind), bias \(hasBias)",
          [.activation([m, k]), .parameter([n, k])] + (hasBias ? [.parameter([n])] : [])
            + (isSum ? [.activation([m, n])] : [])
        ) {
          try $0[0].linear(
            weight: $0[1], bias: hasBias ? $0[2] : nil, then: kind.ending(isSum ? $0.last : nil))
        }
      }
    }
  }

  /// Two layers with an activation between them, whose gradient the second layer's products take along:
  /// linear layers, and convolutions with a stride, of narrow maps, and with a map of their own beside.
  static var chains: [StorageTests.Case] {
    [Activation.quickGELU, .gelu, .relu].flatMap(chains)
  }

  private static func chains(_ activation: Activation) -> [StorageTests.Case] {
    let map = StorageTests.Operand.activation([2, 7, 6, 8])
    return [
      StorageTests.Case(
        "\(activation) between linear layers",
        [.activation([9, 20]), .parameter([12, 20]), .parameter([12]), .parameter([16, 12])]
      ) {
        try $0[0].linear(weight: $0[1], bias: $0[2], then: .activated(activation))
          .linear(weight: $0[3])
      },
      StorageTests.Case(
        "\(activation) between convolutions",
        [map, .parameter([16, 3, 3, 8]), .parameter([16]), .parameter([8, 3, 3, 16])]
      ) {
        try $0[0].convolution(weight: $0[1], bias: $0[2], padding: 1, then: activation)
          .convolution(weight: $0[3], stride: 2, padding: 1)
      },
      StorageTests.Case(
        "\(activation) between a convolution and a linear layer",
        [map, .parameter([16, 3, 3, 8]), .parameter([12, 96])]
      ) {
        try $0[0].convolution(weight: $0[1], padding: 1, then: activation)
          .reshaped([14, 96]).linear(weight: $0[2])
      },
      StorageTests.Case(
        "\(activation) before two convolutions of few channels",
        [map, .parameter([16, 1, 1, 8]), .parameter([3, 1, 1, 16]), .parameter([3, 3, 3, 16])]
      ) {
        let hidden = try $0[0].convolution(weight: $0[1], then: activation)
        return try hidden.convolution(weight: $0[2])
          .adding(hidden.convolution(weight: $0[3], padding: 1))
      },
      StorageTests.Case(
        "\(activation), the result of which is added too",
        [.activation([9, 16]), .parameter([16, 16]), .parameter([16, 16])]
      ) {
        let hidden = try $0[0].linear(weight: $0[1], then: .activated(activation))
        return try hidden.linear(weight: $0[2]).adding(hidden)
      },
    ]
  }

  /// A stream of its own whose products are those of emulated tensor cores, and its profiler.
  func emulated(
    _ type: ElementType, tile: WarpTile, _ body: (ComputeStream, Profiler) throws -> Void
  ) throws {
    try TestDevice.withContext { context in
      let profiler = Profiler()
      let stream = try ComputeStream(
        context: Context(device: context.device, family: .generic, poisonsBuffers: true),
        profiler: profiler, activationType: type)
      let cores = TensorCores(
        precision: .tf32x3, operands: type, tiles: [tile], isEmulated: true)
      if type == .float32 {
        stream.matrix.tensorCores = cores
      } else {
        stream.matrix.activationCores = cores
      }
      try body(stream, profiler)
    }
  }

  @Test("values and gradients as in float64", arguments: TestDevice.families)
  func exact(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for size in Self.sizes { try check(size, on: stream) }
    }
  }

  @Test(
    "tensor cores of float32 in emulation, the largest and the smallest tile",
    arguments: [WarpTile.all[0], WarpTile.all[2]])
  func tensorCores(tile: WarpTile) throws {
    try emulated(.float32, tile: tile) { stream, profiler in
      let isSmall = tile == WarpTile.all.last
      for size in isSmall ? Self.sizes : [(131, 67, 20)] { try check(size, on: stream) }
      try expectNoSteps(profiler)
    }
  }

  @Test("16 bits", arguments: TestDevice.families, StorageTests.types)
  func storage(family: DeviceFamily, type: ElementType) throws {
    try StorageTests.withStream(type, family: family) { stream in
      // A CPU rounds what an activation is applied to, too much for a single number.
      for (m, n, k) in Self.sizes where m > 1 {
        for one in Self.cases(m, n, k) { try StorageTests.check(one, type, on: stream) }
      }
    }
  }

  @Test(
    "tensor cores of 16 bits in emulation, the largest and the smallest tile",
    arguments: [WarpTile.wide[0], WarpTile.all[2]])
  func tensorCoresOf16Bits(tile: WarpTile) throws {
    let isSmall = tile == WarpTile.all.last
    for type in isSmall ? StorageTests.types : [.bfloat16] {
      try emulated(type, tile: tile) { stream, profiler in
        for (m, n, k) in isSmall ? Self.sizes : [(131, 68, 24)] where m > 0 {
          for one in Self.cases(m, n, k).prefix(isSmall ? 8 : 4) {
            try StorageTests.check(one, type, on: stream)
          }
        }
        try expectNoSteps(profiler)
      }
    }
  }

  @Test("gradients through an activation between layers", arguments: TestDevice.families)
  func chains(family: DeviceFamily) throws {
    let wanted = try Self.valuesOfChains()
    try TestDevice.withContext { context in
      for type in [ElementType.float32, .bfloat16] {
        let profiler = Profiler()
        let stream = try ComputeStream(
          context: Context(device: context.device, family: family, poisonsBuffers: true),
          profiler: profiler, activationType: type)
        try check(wanted, type, on: stream, profiler) { number in
          // Without tensor cores a product does not add to what others have written.
          family == .cpu ? 1 : number < 3 ? 0 : 1
        }
      }
    }
  }

  @Test("gradients through an activation by tensor cores in emulation")
  func chainsByTensorCores() throws {
    let wanted = try Self.valuesOfChains()
    for type in [ElementType.float32, .bfloat16] {
      try emulated(type, tile: WarpTile.all[2]) { stream, profiler in
        // A sum passes one gradient on to two, which nobody may add to.
        try check(wanted, type, on: stream, profiler) { number in number < 4 ? 0 : 1 }
      }
    }
  }

  /// Compares the chains with a CPU's, and asks which activations had launches of their own for their
  /// gradients.
  private func check(
    _ wanted: [[[Float]]], _ type: ElementType, on stream: ComputeStream, _ profiler: Profiler,
    steps: (_ number: Int) -> Int
  ) throws {
    for (index, (one, wanted)) in zip(Self.chains, wanted).enumerated() {
      let found = try Self.values(of: one, type, on: stream)
      for (part, (found, wanted)) in zip(found, wanted).enumerated() {
        let largest = wanted.reduce(0) { max($0, abs($1)) }
        let digits = type == .float32 ? 1e-5 : 3 * StorageTests.rounding(type)
        expectClose(
          found, wanted.map(Double.init), absolute: digits * Double(largest),
          "\(one) \(type), \(part == 0 ? "result" : "gradient \(part - 1)")")
      }
      try profiler.resolve()
      let names = profiler.records.map(\.name)
      try profiler.reset()
      let count = names.count { $0.hasSuffix("lu_backward") }
      #expect(count == steps(index % 5), "\(one): \(names)")
      let areProducts = stream.family != .cpu
      #expect(names.contains { $0.hasSuffix("Gradient") } == areProducts, "\(one): \(names)")
    }
  }

  /// What a CPU makes of the chains.
  private static func valuesOfChains() throws -> [[[Float]]] {
    try TestDevice.withStream(.cpu) { stream in
      try chains.map { try values(of: $0, .float32, on: stream) }
    }
  }

  /// The result of a case and the gradients of its operands, which bfloat16 holds exactly.
  private static func values(
    of one: StorageTests.Case, _ type: ElementType, on stream: ComputeStream
  ) throws -> [[Float]] {
    let operands = try one.operands.enumerated().map { index, operand in
      let shape = operand.shape
      let values = randomFloats(shape.reduce(1, *), seed: UInt64(index + 1)).map {
        Float(bitPattern: $0.bitPattern & 0xFFFF_0000)
      }
      return try Tensor(values, shape: shape, on: stream).trained("\(index)")
    }
    let result = try one.run(
      zip(one.operands, operands).map { operand, tensor in
        if case .activation = operand { try tensor.converted(to: type) } else { tensor }
      }
    ).converted(to: .float32)
    _ = try backward(result, seed: 9)
    return try [result.floats()] + operands.map { try $0.gradient?.floats() ?? [] }
  }

  @Test("what a layer's result is added to has the result's gradient, also where it is the input")
  func shared() throws {
    let own = StorageTests.Case(
      "its own input", [.activation([5, 16]), .parameter([16, 16])]
    ) {
      let x = try $0[0].scaled(by: 1)
      return try x.linear(weight: $0[1], then: .addedTo(x)).scaled(by: 1)
    }
    let norm = StorageTests.Case(
      "a residual around a norm",
      [.activation([5, 16]), .parameter([16]), .parameter([16]), .parameter([16, 16])]
    ) { operands in
      let x = try operands[0].scaled(by: 1)
      return try x.layerNorm(weight: operands[1], bias: operands[2])
        .linear(weight: operands[3], then: .addedTo(x)).scaled(by: 1)
    }
    for one in [own, norm] {
      try emulated(.bfloat16, tile: WarpTile.all[2]) { stream, _ in
        try StorageTests.check(one, .bfloat16, on: stream)
      }
      for family in TestDevice.families {
        try StorageTests.withStream(.bfloat16, family: family) {
          try StorageTests.check(one, .bfloat16, on: $0)
        }
      }
    }
  }

  @Test("without gradients nothing is kept, and the values are the same", arguments: Kind.allCases)
  func withoutGradients(kind: Kind) throws {
    try TestDevice.withStream(.generic) { stream in
      let x = try Tensor(randomFloats(9 * 20, seed: 1), shape: [9, 20], on: stream)
      let weight = try Tensor(randomFloats(7 * 20, seed: 2), shape: [7, 20], on: stream)
      let residual = try Tensor(randomFloats(9 * 7, seed: 3), shape: [9, 7], on: stream)
      func values(_ weight: Tensor) throws -> [Float] {
        try x.linear(weight: weight, then: kind.ending(residual)).floats()
      }
      let wanted = try values(weight.trained("weight"))
      #expect(try values(weight) == wanted)
      #expect(try stream.withoutGradients { try values(weight.trained("weight")) } == wanted)
    }
  }

  @Test(
    "after pieces of the depth, that another launch or the last work-group adds up",
    arguments: MatrixEpilogue.Kind.allCases)
  func pieces(kind: MatrixEpilogue.Kind) throws {
    for (type, n) in [(ElementType.float32, 71), (.bfloat16, 71), (.bfloat16, 72)] {
      try emulated(type, tile: WarpTile.all[2]) { stream, profiler in
        let (m, k) = (67, 260)
        func tensor(_ count: Int, _ seed: UInt64) throws -> Tensor {
          try Tensor(randomFloats(count, seed: seed), shape: [count], on: stream)
            .converted(to: type)
        }
        let (left, right) = (try tensor(m * k, 1), try tensor(n * k, 2))
        let bias = try Tensor(randomFloats(n, seed: 3), shape: [n], on: stream)
        func run(_ splits: Int, by lastGroup: LastGroup?) throws -> [[Float]] {
          let (aside, result) = (try tensor(m * n, 4), try tensor(m * n, 5))
          try stream.adding(by: lastGroup) {
            try MatrixLaunch(
              rows: m, columns: n, depth: k,
              left: MatrixOperand(buffer: left.buffer, loader: .rows, pitch: k),
              right: MatrixOperand(buffer: right.buffer, loader: .transposed, pitch: k),
              bias: bias.buffer, operandType: type, targetType: type,
              epilogue: MatrixEpilogue(kind: kind, aside: aside.buffer)
            ).run(
              on: stream, into: result.buffer, with: stream.matrix.tensorCores(for: type),
              tuned: ["SPLITS": splits])
          }
          return [try result.floats(), try aside.floats()]
        }
        let whole = try run(1, by: nil)
        for (lastGroup, splits) in [(nil, 2), (LastGroup(queue: stream.queue), 3)] {
          for (got, want) in zip(try run(splits, by: lastGroup), whole) {
            let digits = type == .float32 ? 1e-5 : 1.6e-2
            expectClose(
              got, want.map(Double.init), relative: digits, absolute: digits,
              "\(type) \(n) columns, \(splits) pieces")
          }
        }
        try profiler.resolve()
        #expect(profiler.records.count { $0.name == "matrix_product_splits" } == 1)
        #expect(profiler.records.count { $0.name.hasSuffix(" then \(kind)") } == 2)
      }
    }
  }

  @Test("a class of products that the tuner measures")
  func tuning() throws {
    try emulated(.bfloat16, tile: WarpTile.all[2]) { stream, _ in
      let recorder = MatrixRecorder()
      stream.matrix.recorder = recorder
      for one in Self.cases(67, 40, 24) + Self.chains {
        try StorageTests.check(one, .bfloat16, on: stream)
      }
      stream.matrix.recorder = nil
      let cores = stream.matrix.activationCores
      for kind in MatrixEpilogue.Kind.allCases {
        let use = try #require(
          recorder.uses.first { $0.shape.epilogue == kind && $0.shape.kernel == cores?.label })
        #expect(use.shape.name.hasSuffix(" then \(kind)"))
        let trial = try MatrixTrial(use.example, on: stream, with: cores)
        let found = try trial.measure(trial.choices.shipped, limit: 1e-9, isShipped: true)
        let tolerance = (cores?.tolerance ?? 0) + MatrixTuning.rounding(.bfloat16)
        #expect(found.error <= tolerance, "\(kind)")
        // One that leaves out the ending is found out.
        trial.tamper = { _, target in try stream.queue.fill(target, pattern: 0x3F80_3F80) }
        let wrong = try trial.measure(trial.choices.shipped, limit: 1e-9, isShipped: true)
        #expect(wrong.error > tolerance, "\(kind)")
      }
    }
  }

  /// No ending had a launch of its own.
  private func expectNoSteps(_ profiler: Profiler) throws {
    try profiler.resolve()
    let names = Set(profiler.records.map(\.name))
    #expect(
      names.isDisjoint(
        with: [
          "pointwise_quick_gelu_forward", "pointwise_gelu_forward", "pointwise_relu_forward",
        ]))
    #expect(!names.contains("pointwise_add_forward"))
    for kind in [MatrixEpilogue.Kind.residual, .quickGELU, .gelu, .relu] {
      #expect(names.contains { $0.hasSuffix(" then \(kind)") }, "\(names)")
    }
  }

  /// Compares every ending of a layer, with and without a bias, and its gradients with float64.
  private func check(_ size: (m: Int, n: Int, k: Int), on stream: ComputeStream) throws {
    let (m, n, k) = size
    let x = try Operand([m, k], seed: 1, on: stream)
    let weight = try Operand([n, k], seed: 2, on: stream)
    let bias = try Operand([n], seed: 3, on: stream)
    let residual = try Operand([m, n], seed: 4, on: stream)
    for (kind, hasBias) in Kind.allCases.flatMap({ [($0, true), ($0, false)] }) {
      let label = "\(size) then \(kind), bias \(hasBias)"
      let result = try x.tensor.linear(
        weight: weight.tensor, bias: hasBias ? bias.tensor : nil,
        then: kind.ending(residual.tensor))
      let upstream = try backward(result, seed: 5)
      var want = [Double](repeating: 0, count: m * n)
      var wantX = [Double](repeating: 0, count: m * k)
      var wantWeight = [Double](repeating: 0, count: n * k)
      var wantBias = [Double](repeating: 0, count: n)
      for i in 0..<m {
        for j in 0..<n {
          var sum = hasBias ? bias.values[j] : 0
          for l in 0..<k { sum += x.values[i * k + l] * weight.values[j * k + l] }
          let (value, slope) = kind.value(sum)
          want[i * n + j] = value + (kind == .residual ? residual.values[i * n + j] : 0)
          let gradient = upstream[i * n + j] * slope
          wantBias[j] += gradient
          for l in 0..<k {
            wantX[i * k + l] += gradient * weight.values[j * k + l]
            wantWeight[j * k + l] += gradient * x.values[i * k + l]
          }
        }
      }
      expectClose(try result.floats(), want, label)
      func expectGradient(_ operand: Operand, _ want: [Double], _ name: String) throws {
        expectClose(
          try #require(operand.tensor.gradient, "\(label), \(name)").floats(), want,
          "\(label), gradient of \(name)")
        operand.tensor.node?.clearGradient()
      }
      try expectGradient(x, wantX, "x")
      try expectGradient(weight, wantWeight, "weight")
      if hasBias { try expectGradient(bias, wantBias, "bias") }
      if kind == .residual { try expectGradient(residual, upstream, "residual") }
    }
  }
}
