import OpenCL
import TestSupport
import Testing

@testable import Tensors

@Suite("Matrix products and linear layers")
struct MatrixProductTests {
  /// Sizes of one product.
  struct Sizes: CustomStringConvertible {
    let batch, rows, columns, depth: Int
    var description: String { "\(batch) x \(rows)x\(columns)x\(depth)" }
  }

  /// Around register tiles (8, 14, 16 rows; 16, 32, 48 columns), packed blocks (112 rows), steps of
  /// the depth, group tiles (64), primes, empty operands, and a depth that is worth splitting.
  static let sizes = [
    Sizes(batch: 1, rows: 1, columns: 1, depth: 1),
    Sizes(batch: 1, rows: 13, columns: 31, depth: 15),
    Sizes(batch: 1, rows: 14, columns: 32, depth: 16),
    Sizes(batch: 1, rows: 15, columns: 33, depth: 17),
    Sizes(batch: 1, rows: 8, columns: 48, depth: 3),
    Sizes(batch: 1, rows: 17, columns: 47, depth: 2),
    Sizes(batch: 1, rows: 9, columns: 16, depth: 65),
    Sizes(batch: 1, rows: 113, columns: 5, depth: 67),
    Sizes(batch: 1, rows: 3, columns: 401, depth: 19),
    Sizes(batch: 1, rows: 67, columns: 3, depth: 257),
    Sizes(batch: 1, rows: 5, columns: 7, depth: 2100),
    Sizes(batch: 3, rows: 7, columns: 37, depth: 11),
    Sizes(batch: 2, rows: 5, columns: 17, depth: 1100),
    Sizes(batch: 1, rows: 4, columns: 6, depth: 0),
    Sizes(batch: 1, rows: 0, columns: 6, depth: 5),
    Sizes(batch: 0, rows: 2, columns: 6, depth: 5),
  ]

  @Test("products and gradients, every transpose", arguments: TestDevice.families)
  func products(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for sizes in Self.sizes {
        for transposes in 0..<4 {
          try check(sizes, transposes & 1 != 0, transposes & 2 != 0, on: stream)
        }
      }
    }
  }

  @Test("rows that are alike do not depend on their number by a bit")
  func alike() throws {
    try TestDevice.withStream { stream in
      // Numbers of rows for which other tiles, steps of the depth and pieces of it are the best.
      for (columns, depth) in [(1536, 512), (48, 700), (64, 2100), (7, 1100)] {
        let left = randomFloats(330 * depth, seed: 1)
        let weight = try Tensor(
          randomFloats(columns * depth, seed: 2), shape: [columns, depth], on: stream)
        func product(_ rows: Int) throws -> [Float] {
          try Tensor(Array(left.prefix(rows * depth)), shape: [rows, depth], on: stream)
            .linear(weight: weight).floats()
        }
        let all = try stream.withRowsAlike { try product(330) }
        #expect(!stream.rowsAreAlike)
        for rows in [1, 7, 8, 16, 100, 315] {
          let few = try stream.withRowsAlike { try product(rows) }
          #expect(few == Array(all.prefix(few.count)), "\(rows) x \(columns) x \(depth)")
        }
        expectClose(try product(8), all.prefix(8 * columns).map(Double.init), "\(columns)")
      }
    }
  }

  /// Compares a product and its gradients with double precision.
  func check(
    _ sizes: Sizes, _ transposeLeft: Bool, _ transposeRight: Bool, on stream: ComputeStream
  ) throws {
    let label = "\(sizes) transposed \(transposeLeft) \(transposeRight)"
    let (b, m, n, k) = (sizes.batch, sizes.rows, sizes.columns, sizes.depth)
    let a = randomFloats(b * m * k, seed: 1)
    let c = randomFloats(b * k * n, seed: 2)
    let g = randomFloats(b * m * n, seed: 3)
    let leading = b == 1 ? [] : [b]
    let left = try Tensor(
      a, shape: leading + (transposeLeft ? [k, m] : [m, k]), on: stream
    ).trained("left")
    let right = try Tensor(
      c, shape: leading + (transposeRight ? [n, k] : [k, n]), on: stream
    ).trained("right")
    let result = try left.matrixProduct(
      right, transposeLeft: transposeLeft, transposeRight: transposeRight)
    #expect(result.shape == leading + [m, n])
    try result.backward(from: try Tensor(g, shape: result.shape, on: stream))

    var want = [Double](repeating: 0, count: b * m * n)
    var wantLeft = [Double](repeating: 0, count: b * m * k)
    var wantRight = [Double](repeating: 0, count: b * k * n)
    for entry in 0..<b {
      for i in 0..<m {
        for l in 0..<k {
          let leftIndex = entry * m * k + (transposeLeft ? l * m + i : i * k + l)
          let x = Double(a[leftIndex])
          var leftGradient = 0.0
          for j in 0..<n {
            let rightIndex = entry * k * n + (transposeRight ? j * k + l : l * n + j)
            let index = (entry * m + i) * n + j
            let upstream = Double(g[index])
            want[index] += x * Double(c[rightIndex])
            leftGradient += upstream * Double(c[rightIndex])
            wantRight[rightIndex] += upstream * x
          }
          wantLeft[leftIndex] = leftGradient
        }
      }
    }
    expectClose(try result.floats(), want, label)
    expectClose(try #require(left.gradient).floats(), wantLeft, "\(label) left gradient")
    expectClose(try #require(right.gradient).floats(), wantRight, "\(label) right gradient")
  }

  @Test("the same product gives the same bits", arguments: TestDevice.families)
  func deterministic(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let left = try Tensor(randomFloats(3000 * 20, seed: 4), shape: [3000, 20], on: stream)
      let right = try Tensor(randomFloats(3000 * 30, seed: 5), shape: [3000, 30], on: stream)
      let first = try left.matrixProduct(right, transposeLeft: true).floats()
      for _ in 0..<3 {
        #expect(try left.matrixProduct(right, transposeLeft: true).floats() == first)
      }
    }
  }

  @Test("a linear layer of no inputs is its bias", arguments: TestDevice.families)
  func noInputs(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let x = try Tensor([Float](), shape: [2, 0], on: stream)
      let weight = try Tensor([Float](), shape: [3, 0], on: stream)
      let bias = try Tensor([Float](arrayLiteral: 1, -2, 3), shape: [3], on: stream)
      #expect(try x.linear(weight: weight, bias: bias).floats() == [1, -2, 3, 1, -2, 3])
    }
  }

  @Test(
    "linear layers like the peer's",
    .enabled(if: !linearFixtures.isEmpty, "no fixtures linear/linear_*"),
    arguments: linearFixtures, TestDevice.families)
  func peer(name: String, family: DeviceFamily) throws {
    let fixture = try Fixture(name)
    try TestDevice.withStream(family) { stream in
      let x = try fixture.tensor("x", on: stream, channelsLast: false).trained("x")
      let weight = try fixture.tensor("weight", on: stream).trained("weight")
      let bias =
        fixture.has("bias") ? try fixture.tensor("bias", on: stream).trained("bias") : nil
      let y = try x.linear(weight: weight, bias: bias)
      try fixture.expect(y, equals: "y", channelsLast: false)
      try y.backward(from: try fixture.tensor("grad_y", on: stream, channelsLast: false))
      try fixture.expect(x.gradient, equals: "grad_x", channelsLast: false)
      try fixture.expect(weight.gradient, equals: "grad_weight")
      if let bias { try fixture.expect(bias.gradient, equals: "grad_bias") }
    }
  }
}

private let linearFixtures = Fixture.files("linear", prefix: "linear_")
