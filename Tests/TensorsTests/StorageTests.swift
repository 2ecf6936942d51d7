import OpenCL
import TestSupport
import Testing

@testable import Tensors

/// Operators on 16-bit activations against the same operators in float32 on the same, already
/// rounded numbers: what is left is the rounding of what a kernel writes.
@Suite("Activations of 16 bits")
struct StorageTests {
  /// An operand of a case.
  enum Operand {
    /// Stored in 16 bits.
    case activation([Int])
    /// float32 in every case.
    case parameter([Int])

    var shape: [Int] {
      switch self {
      case .activation(let shape), .parameter(let shape): shape
      }
    }
  }

  /// An operator and the shapes it is run on.
  struct Case: CustomStringConvertible {
    let description: String
    let operands: [Operand]
    let run: ([Tensor]) throws -> Tensor

    init(
      _ description: String, _ operands: [Operand], _ run: @escaping ([Tensor]) throws -> Tensor
    ) {
      self.description = description
      self.operands = operands
      self.run = run
    }
  }

  static let types: [ElementType] = [.bfloat16, .float16]

  /// Half the distance between neighbours, beside the number.
  static func rounding(_ type: ElementType) -> Double { type == .bfloat16 ? 1 / 256 : 1 / 2048 }

  /// Runs `body` with a stream whose activations are of a type.
  static func withStream(
    _ type: ElementType, family: DeviceFamily = .generic, _ body: (ComputeStream) throws -> Void
  ) throws {
    try TestDevice.withContext { context in
      try body(
        ComputeStream(
          context: Context(device: context.device, family: family, poisonsBuffers: true),
          activationType: type))
    }
  }

  /// Row lengths: whole vectors of 4 and not, more and fewer than the lanes of a work-group.
  static func elementwise(_ c: Int) -> [Case] {
    let x = Operand.activation([2, 5, c])
    let row = Operand.parameter([c])
    return [
      Case("add \(c)", [x, x]) { try $0[0].adding($0[1]) },
      Case("subtract \(c)", [x, x]) { try $0[0].subtracting($0[1]) },
      Case("multiply \(c)", [x, x]) { try $0[0].multiplied(by: $0[1]) },
      Case("scale \(c)", [x]) { try $0[0].scaled(by: -1.5) },
      Case("relu \(c)", [x]) { try $0[0].relu() },
      Case("sigmoid \(c)", [x]) { try $0[0].sigmoid() },
      Case("quickGELU \(c)", [x]) { try $0[0].quickGELU() },
      Case("GELU \(c)", [x]) { try $0[0].gelu() },
      Case("row \(c)", [x, row]) { try $0[0].addingRow($0[1]) },
      Case("layer norm \(c)", [x, row, row]) { try $0[0].layerNorm(weight: $0[1], bias: $0[2]) },
      Case("frozen batch norm \(c)", [x, row, row, x]) { operands in
        let stream = operands[0].stream
        return try operands[0].frozenBatchNorm(
          weight: operands[1], bias: operands[2],
          runningMean: Tensor(repeating: 0.25, shape: [c], on: stream),
          runningVariance: Tensor(repeating: 2, shape: [c], on: stream), residual: operands[3],
          relu: true)
      },
      Case("batch norm \(c)", [x, row, row]) { operands in
        let stream = operands[0].stream
        return try operands[0].batchNorm(
          weight: operands[1], bias: operands[2],
          runningMean: Tensor(repeating: 0, shape: [c], on: stream),
          runningVariance: Tensor(repeating: 1, shape: [c], on: stream))
      },
      Case("concatenation, slice \(c)", [x, x]) {
        try Tensor.concatenated($0, axis: 1).sliced(axis: 1, 3..<8)
      },
      Case("slices of the first axis \(c)", [x, x]) {
        try Tensor.concatenated($0, axis: 0).sliced(axis: 0, 1..<3)
      },
      Case("gathered rows \(c)", [.activation([6, c])]) { try $0[0].gatheredRows([5, -1, 2, 5]) },
      Case("combined rows \(c)", [.activation([6, c])]) {
        try $0[0].combinedRows(
          offsets: [0, 2, 2, 5], indices: [1, 4, 0, 1, 5], weights: [0.5, 2, 1, -1, 0.25])
      },
      Case("transpose \(c)", [.activation([6, c])]) { try $0[0].transposed() },
      Case("embedding \(c)", [.parameter([6, c])]) {
        try $0[0].embedding(indices: [5, 0, 5, 2], shape: [2, 2])
      },
      Case("column sums \(c)", [x]) { try $0[0].columnSums() },
    ]
  }

  static func maps(_ c: Int) -> [Case] {
    [
      Case("max pool \(c)", [.activation([2, 9, 8, c])]) {
        try $0[0].maxPool(kernel: 3, stride: 2, padding: 1)
      },
      Case("average pool \(c)", [.activation([2, 3, 4, c])]) { try $0[0].globalAveragePool() },
      Case("up-sampled sum \(c)", [.activation([1, 7, 6, c]), .activation([1, 4, 3, c])]) {
        try $0[0].addingUpsampled($0[1])
      },
      Case("convolution \(c)", [.activation([1, 7, 6, c]), .parameter([5, 3, 3, c])]) {
        try $0[0].convolution(weight: $0[1], padding: 1)
      },
      Case(
        "convolution of stride 2 \(c)",
        [.activation([2, 9, 8, c]), .parameter([8, 3, 3, c]), .parameter([8])]
      ) { try $0[0].convolution(weight: $0[1], bias: $0[2], stride: 2, padding: 1) },
      Case("1x1 convolution \(c)", [.activation([2, 3, 5, c]), .parameter([c, 1, 1, c])]) {
        try $0[0].convolution(weight: $0[1])
      },
      Case(
        "linear \(c)", [.activation([3, 5, c]), .parameter([7, c]), .parameter([7])]
      ) { try $0[0].linear(weight: $0[1], bias: $0[2]) },
      Case("product \(c)", [.activation([2, 9, c]), .activation([2, c, 5])]) {
        try $0[0].matrixProduct($0[1])
      },
      Case("deep product \(c)", [.activation([9, 1104]), .activation([c, 1104])]) {
        try $0[0].matrixProduct($0[1], transposeRight: true)
      },
    ]
  }

  @Test("results and gradients", arguments: TestDevice.families, types)
  func operators(family: DeviceFamily, type: ElementType) throws {
    let cases =
      [3, 12, 130, 516].flatMap(Self.elementwise) + [3, 8, 72].flatMap(Self.maps)
    try Self.withStream(type, family: family) { stream in
      for one in cases { try Self.check(one, type, on: stream) }
    }
  }

  @Test("conversion rounds to nearest, ties to even, and keeps what is special")
  func conversion() throws {
    let values: [Float] = [
      0, -0.0, 1, 1 + 1 / 256, 1 + 3 / 256, 1 + 1 / 1024, 65504, 65520, 3e38, 1e-8, -1e-40,
      .infinity, -.infinity, 3.14159,
    ]
    try Self.withStream(.bfloat16) { stream in
      let x = try Tensor(values + [.nan], shape: [values.count + 1], on: stream)
      let rounded = try x.converted(to: .bfloat16)
      #expect(rounded.buffer.bytes == 32)
      let got = try rounded.floats()
      let want: [Float] = values.map { value in
        guard value.isFinite else { return value }
        let bits = value.bitPattern
        return Float(bitPattern: (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
      }
      #expect(Array(got.dropLast()) == want)
      #expect(got.last?.isNaN == true)
      let half = try x.converted(to: .float16).floats()
      let exact = Array(values[..<7]) + [Float.infinity, .infinity]
      #expect(Array(half[..<9]) == exact)
      #expect(half[11] == .infinity && half[12] == -.infinity && half[14].isNaN)
      #expect(abs(half[13] - 3.14159) < 1e-3 && half[9] == 0)
    }
  }

  /// Compares an operator on 16-bit activations with float32, forward and backward.
  static func check(_ one: Case, _ type: ElementType, on stream: ComputeStream) throws {
    func rounded(_ shape: [Int], seed: UInt64) throws -> Tensor {
      let values = randomFloats(shape.reduce(1, *), seed: seed)
      return try Tensor(values, shape: shape, on: stream).converted(to: type)
    }
    var stored: [Tensor] = []
    for (index, operand) in one.operands.enumerated() {
      stored.append(try rounded(operand.shape, seed: UInt64(index + 1)))
    }
    var results: [(result: [Float], gradients: [[Float]])] = []
    for narrow in [false, true] {
      var leaves: [Tensor] = []
      for (operand, kind) in zip(stored, one.operands) {
        var value = try operand.converted(to: .float32)
        if narrow, case .activation = kind { value = operand }
        leaves.append(value.trained("operand"))
      }
      var result = try one.run(leaves)
      // Sums over activations, and what an embedding table gives, need no 16-bit twin.
      let upstream = try rounded(result.shape, seed: 9).converted(to: result.elementType)
      try result.backward(from: upstream)
      result = result.detached()
      let gradients = try leaves.map { try $0.gradient?.floats() ?? [] }
      results.append((try result.floats(), gradients))
      for (leaf, operand) in zip(leaves, one.operands) {
        if narrow, case .activation = operand {
          #expect(leaf.gradient?.elementType == type, "\(one), gradient")
        } else {
          #expect(leaf.gradient?.elementType == .float32, "\(one), gradient")
        }
      }
    }
    for (index, (want, got)) in zip(
      [results[0].result] + results[0].gradients, [results[1].result] + results[1].gradients
    ).enumerated() {
      let what = index == 0 ? "result" : "gradient \(index - 1)"
      #expect(want.count == got.count, "\(one) \(type), \(what)")
      let largest = want.reduce(0) { max($0, abs(Double($1))) }
      let limit = 1.5 * rounding(type) * largest + 1e-6
      let worst = zip(want, got).reduce(0) { max($0, abs(Double($1.0) - Double($1.1))) }
      #expect(worst <= limit, "\(one) \(type), \(what): \(worst) of \(largest)")
      let isFinite = got.allSatisfy { $0.isFinite }
      #expect(isFinite, "\(one) \(type), \(what)")
    }
  }
}
