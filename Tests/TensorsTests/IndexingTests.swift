import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Indexing operators")
struct IndexingTests {
  /// Row widths around a vector, a GPU row and a block of rows.
  static let widths = [1, 4, 15, 16, 17, 127, 129, 1031, 4096]

  @Test("combined rows, forward and backward", arguments: TestDevice.families)
  func combinedRows(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for (seed, width) in Self.widths.enumerated() {
        let rows = width > 1000 ? 5 : 37
        let x = randomFloats(rows * width, seed: UInt64(seed))
        let draws = randomFloats(3 * rows, seed: 77, in: 0...0.999)
        let indices = draws.map { Int32($0 * Float(rows)) }
        // Lists of 0 to 3 entries.
        var offsets: [Int32] = [0]
        while Int(offsets[offsets.count - 1]) < indices.count {
          let length = Int32(offsets.count * 7 % 4)
          offsets.append(min(Int32(indices.count), offsets[offsets.count - 1] + length))
        }
        let lists = offsets.count - 1
        let gradient = randomFloats(lists * width, seed: 78)
        for weights in [nil, randomFloats(indices.count, seed: 79)] {
          var wanted = [Double](repeating: 0, count: lists * width)
          var wantedGradient = [Double](repeating: 0, count: rows * width)
          for list in 0..<lists {
            for entry in Int(offsets[list])..<Int(offsets[list + 1]) {
              let weight = Double(weights?[entry] ?? 1)
              let row = Int(indices[entry])
              for column in 0..<width {
                wanted[list * width + column] += weight * Double(x[row * width + column])
                wantedGradient[row * width + column] +=
                  weight * Double(gradient[list * width + column])
              }
            }
          }
          let source = try Tensor(x, shape: [rows, width], on: stream).trained("x")
          let result = try source.combinedRows(
            offsets: offsets, indices: indices, weights: weights)
          #expect(result.shape == [lists, width])
          expectClose(try result.floats(), wanted, "width \(width)")
          try result.backward(from: try Tensor(gradient, shape: result.shape, on: stream))
          expectClose(
            try source.gradient?.floats() ?? [], wantedGradient, "gradient, width \(width)")
        }
      }
    }
  }

  @Test("gathered rows by host and device indices", arguments: TestDevice.families)
  func gatheredRows(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for width in Self.widths {
        let rows = 7
        let x = randomFloats(rows * width, seed: 5)
        let indices: [Int32] = [6, -1, 0, 0, 3, 6, 6, -1, 2]
        let source = try Tensor(x, shape: [rows, width, 1], on: stream).trained("x")
        let result = try source.gatheredRows(indices)
        #expect(result.shape == [9, width, 1])
        let wanted = indices.flatMap { index -> [Float] in
          index < 0
            ? [Float](repeating: 0, count: width)
            : Array(x[Int(index) * width..<(Int(index) + 1) * width])
        }
        #expect(try result.floats() == wanted)
        let onDevice = try source.gatheredRows(try Tensor(indices, shape: [9], on: stream))
        #expect(!onDevice.needsGradient)
        #expect(try onDevice.floats() == wanted)
        let gradient = randomFloats(9 * width, seed: 6)
        try result.backward(from: try Tensor(gradient, shape: result.shape, on: stream))
        var wantedGradient = [Double](repeating: 0, count: rows * width)
        for (place, index) in indices.enumerated() where index >= 0 {
          for column in 0..<width {
            wantedGradient[Int(index) * width + column] += Double(gradient[place * width + column])
          }
        }
        expectClose(try source.gradient?.floats() ?? [], wantedGradient, "width \(width)")
      }
      let integers = try Tensor([3, 5, 7, -9] as [Int32], shape: [2, 2], on: stream)
      #expect(try integers.gatheredRows([1, -1]).integers() == [7, -9, 0, 0])
    }
  }

  @Test("a device index outside the rows gives zeros")
  func outside() throws {
    try TestDevice.withStream { stream in
      let source = try Tensor([1, 2] as [Float], shape: [2, 1], on: stream)
      let indices = try Tensor([2, 1, -5] as [Int32], shape: [3], on: stream)
      #expect(try source.gatheredRows(indices).floats() == [0, 2, 0])
    }
  }

  @Test("no rows in, no rows out", arguments: TestDevice.families)
  func empty(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let nothing = try Tensor([Float](), shape: [0, 3], on: stream).trained("nothing")
      #expect(try nothing.gatheredRows([-1]).floats() == [0, 0, 0])
      let some = try nothing.combinedRows(offsets: [0, 0, 0], indices: [])
      #expect(try some.floats() == [0, 0, 0, 0, 0, 0])
      try some.backward(from: some.detached())
      #expect(nothing.gradient?.shape == [0, 3])
      let source = try Tensor([1, 2] as [Float], shape: [2, 1], on: stream).trained("x")
      let none = try source.gatheredRows([Int32]())
      #expect(none.shape == [0, 1])
      try none.backward(from: none.detached())
      #expect(try source.gradient?.floats() == [0, 0])
    }
  }

  @Test("concatenation and slices on every axis", arguments: TestDevice.families)
  func joinAndCut(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for axis in 0..<3 {
        var (left, right) = ([3, 5, 17], [3, 5, 17])
        left[axis] = 2
        right[axis] = 4
        let (a, b) = (
          randomFloats(left.reduce(1, *), seed: 1), randomFloats(right.reduce(1, *), seed: 2)
        )
        let first = try Tensor(a, shape: left, on: stream).trained("first")
        let second = try Tensor(b, shape: right, on: stream).trained("second")
        let empty = try Tensor(
          [Float](), shape: left.enumerated().map { $0 == axis ? 0 : $1 }, on: stream)
        let joined = try Tensor.concatenated([first, empty, second], axis: axis)
        let inner = left[(axis + 1)...].reduce(1, *)
        let outer = left[..<axis].reduce(1, *)
        var wanted: [Float] = []
        for row in 0..<outer {
          wanted += a[row * 2 * inner..<(row + 1) * 2 * inner]
          wanted += b[row * 4 * inner..<(row + 1) * 4 * inner]
        }
        #expect(try joined.floats() == wanted)
        let back = try joined.sliced(axis: axis, 2..<6)
        #expect(try back.floats() == b)
        #expect(try joined.sliced(axis: axis, 3..<3).count == 0)
        let gradient = randomFloats(b.count, seed: 3)
        try back.backward(from: try Tensor(gradient, shape: right, on: stream))
        #expect(try second.gradient?.floats() == gradient)
        #expect(try first.gradient?.floats() == a.map { _ in 0 })
      }
    }
  }

  @Test("transpose, forward and backward", arguments: TestDevice.families)
  func transposed(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for (rows, columns) in [(1, 1), (1, 17), (31, 7), (129, 130)] {
        let x = randomFloats(rows * columns, seed: 4)
        let source = try Tensor(x, shape: [rows, columns], on: stream).trained("x")
        let result = try source.transposed()
        #expect(result.shape == [columns, rows])
        let wanted = (0..<columns).flatMap { c in (0..<rows).map { x[$0 * columns + c] } }
        #expect(try result.floats() == wanted)
        try result.backward(from: result.detached())
        #expect(try source.gradient?.floats() == x)
      }
    }
  }
}
