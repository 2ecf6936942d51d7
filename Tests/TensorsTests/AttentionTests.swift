import Foundation
import OpenCL
import OperatorChecks
import Tensors
import TestSupport
import Testing

@Suite("Attention")
struct AttentionTests {
  enum Mask: CaseIterable, Sendable { case none, causal, shared, perHead, causalAndShared }

  struct Case: Sendable {
    let batch: Int
    let length: Int
    let heads: Int
    let headWidth: Int
    let mask: Mask
  }

  /// Lengths around a block of queries and a step of keys, widths around a vector.
  static let cases =
    Mask.allCases.flatMap { mask in
      [(1, 1, 1, 1), (2, 7, 2, 10), (1, 8, 3, 10), (2, 9, 1, 16), (1, 33, 2, 17)].map {
        Case(batch: $0.0, length: $0.1, heads: $0.2, headWidth: $0.3, mask: mask)
      }
    } + [
      Case(batch: 1, length: 257, heads: 1, headWidth: 64, mask: .none),
      Case(batch: 1, length: 65, heads: 2, headWidth: 64, mask: .causal),
      Case(batch: 0, length: 5, heads: 2, headWidth: 16, mask: .none),
    ]

  func reference(
    _ qkv: [Double], masks: [Double], gradient: [Double], _ test: Case
  ) -> AttentionReference {
    AttentionReference(
      qkv, length: test.length, heads: test.heads, width: test.headWidth, outputGradient: gradient
    ) { head, query, key in masks[(head * test.length + query) * test.length + key] }
  }

  /// The mask given to the operator, and all that hides scores as one matrix per image and head.
  func masks(_ test: Case, on stream: ComputeStream) throws -> (Tensor?, [Double]) {
    let (length, all) = (test.length, test.batch * test.heads)
    let matrices = test.mask == .perHead ? all : 1
    var values = [Float](repeating: 0, count: matrices * length * length)
    var mask: Tensor?
    if test.mask != .none && test.mask != .causal {
      // A third is hidden, among it the whole of the last row.
      values = randomFloats(values.count, seed: 9, in: -2...1).enumerated().map {
        $1 > 0 || $0 % (length * length) >= length * (length - 1) ? -.infinity : $1
      }
      mask = try Tensor(
        values, shape: test.mask == .perHead ? [all, length, length] : [length, length],
        on: stream)
    }
    let causal = test.mask == .causal || test.mask == .causalAndShared
    var combined: [Double] = []
    for head in 0..<all {
      for i in 0..<length {
        for j in 0..<length {
          let index = ((matrices == 1 ? 0 : head) * length + i) * length + j
          combined.append(causal && j > i ? -.infinity : Double(values[index]))
        }
      }
    }
    return (mask, combined)
  }

  @Test("against float64, forward and backward", arguments: TestDevice.families, cases)
  func random(family: DeviceFamily, test: Case) throws {
    try TestDevice.withStream(family) { stream in
      let width = test.heads * test.headWidth
      let qkv = try Operand(
        [test.batch, test.length, 3 * width], seed: 1, in: -2...2, on: stream)
      let (mask, combined) = try masks(test, on: stream)
      let result = try qkv.tensor.attention(
        heads: test.heads, causal: test.mask == .causal || test.mask == .causalAndShared,
        mask: mask)
      let output = try result.floats()
      let gradient = try backward(result, seed: 2)
      let wanted = reference(qkv.values, masks: combined, gradient: gradient, test)
      expectClose(output, wanted.output, "\(test)")
      expectClose(try qkv.tensor.gradient?.floats() ?? [], wanted.gradient, "gradient of \(test)")
    }
  }

  @Test("heads beyond a CPU's local memory go row by row")
  func large() throws {
    try TestDevice.withStream { stream in
      // Backward keeps five arrays of length * headWidth floats.
      let headWidth = 1024
      let length = stream.device.localMemoryInBytes / (4 * 5 * headWidth) + 1
      let test = Case(batch: 1, length: length, heads: 1, headWidth: headWidth, mask: .none)
      let qkv = try Operand([1, length, 3 * headWidth], seed: 3, on: stream)
      let result = try qkv.tensor.attention(heads: 1)
      let gradient = try backward(result, seed: 4)
      let wanted = reference(
        qkv.values, masks: [Double](repeating: 0, count: length * length), gradient: gradient,
        test)
      expectClose(try result.floats(), wanted.output, "\(length) rows")
      expectClose(try qkv.tensor.gradient?.floats() ?? [], wanted.gradient, "gradient")
    }
  }

  @Test(
    "against the peer's numbers",
    .enabled(if: Fixture.available, "the fixture set is missing"),
    arguments: TestDevice.families)
  func fixtures(family: DeviceFamily) throws {
    let files = Fixture.files("attention")
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let shape = try fixture.shape("x")
        let (length, batch, width) = (shape[0], shape[1], shape[2])
        let x = Matrix(try fixture.floats("x"), columns: width)
        let inWeight = Matrix(try fixture.floats("in_proj_weight"), columns: width)
        let outWeight = Matrix(try fixture.floats("out_proj_weight"), columns: width)
        // [L, N, E] on the host, [N, L, 3E] on the device.
        let projected = x.times(inWeight.transposed)
          .addingRow(try fixture.floats("in_proj_bias"))
        let qkv = try Tensor(
          projected.swappingRows(length, batch).values.map(Float.init),
          shape: [batch, length, 3 * width], on: stream
        ).trained("qkv")
        let mask = try fixture.has("attn_mask") ? fixture.tensor("attn_mask", on: stream) : nil
        let attended = try qkv.attention(heads: try fixture.integer("heads"), mask: mask)
        let heads = Matrix(try attended.floats(), columns: width).swappingRows(batch, length)
        func check(_ got: Matrix, _ key: String) throws {
          expectClose(
            got.values, try fixture.floats(key), relative: fixture.relative,
            absolute: fixture.absolute, "\(file) \(key)")
        }
        try check(
          heads.times(outWeight.transposed).addingRow(try fixture.floats("out_proj_bias")), "y")

        let gradient = Matrix(try fixture.floats("grad_y"), columns: width)
        try check(gradient.transposed.times(heads), "grad_out_proj_weight")
        let back = gradient.times(outWeight).swappingRows(length, batch)
        try attended.backward(
          from: try Tensor(back.values.map(Float.init), shape: attended.shape, on: stream))
        let qkvGradient = Matrix(
          try qkv.gradient?.floats() ?? [], columns: 3 * width
        ).swappingRows(batch, length)
        try check(qkvGradient.times(inWeight), "grad_x")
        try check(qkvGradient.transposed.times(x), "grad_in_proj_weight")
        try check(qkvGradient.columnSums, "grad_in_proj_bias")
      }
    }
  }
}

/// A float64 matrix on the host, for the projections around the operator.
private struct Matrix {
  var values: [Double]
  let columns: Int
  var rows: Int { values.count / columns }

  init<Value: BinaryFloatingPoint>(_ values: [Value], columns: Int) {
    self.values = values.map { Double($0) }
    self.columns = columns
  }

  var transposed: Matrix {
    var result: [Double] = []
    for column in 0..<columns {
      for row in 0..<rows { result.append(values[row * columns + column]) }
    }
    return Matrix(result, columns: rows)
  }

  var columnSums: Matrix {
    var result = [Double](repeating: 0, count: columns)
    for (index, value) in values.enumerated() { result[index % columns] += value }
    return Matrix(result, columns: columns)
  }

  func times(_ other: Matrix) -> Matrix {
    var result: [Double] = []
    for row in 0..<rows {
      for column in 0..<other.columns {
        var sum = 0.0
        for k in 0..<columns {
          sum += values[row * columns + k] * other.values[k * other.columns + column]
        }
        result.append(sum)
      }
    }
    return Matrix(result, columns: other.columns)
  }

  func addingRow(_ row: [Float]) -> Matrix {
    Matrix(values.enumerated().map { $1 + Double(row[$0 % columns]) }, columns: columns)
  }

  /// Rows (i, j) of `first` by `second` in the order (j, i).
  func swappingRows(_ first: Int, _ second: Int) -> Matrix {
    var result: [Double] = []
    for j in 0..<second {
      for i in 0..<first {
        let start = (i * second + j) * columns
        result += values[start..<start + columns]
      }
    }
    return Matrix(result, columns: columns)
  }
}
