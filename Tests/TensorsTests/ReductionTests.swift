import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Sums")
struct ReductionTests {
  @Test("sum and mean, forward and backward", arguments: TestDevice.families)
  func wholeSums(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for count in [1, 15, 16, 17, 127, 129, 65535, 65536, 65537, 200_003] {
        let values = randomFloats(count, seed: 1)
        let total = values.reduce(0.0) { $0 + Double($1) }
        let x = try Tensor(values, shape: [count], on: stream).trained("x")
        let sum = try x.sum()
        #expect(sum.shape == [])
        // The error of a sum grows with the size of its terms, not with the sum.
        let room = 1e-6 * Double(count).squareRoot()
        expectClose(try sum.floats(), [total], absolute: max(1e-5, room), "sum of \(count)")
        try sum.scaled(by: 3).backward()
        #expect(try #require(x.gradient).floats() == [Float](repeating: 3, count: count))
        let y = try Tensor(values, shape: [count], on: stream).trained("y")
        let mean = try y.mean()
        expectClose(try mean.floats(), [total / Double(count)], "mean of \(count)")
        try mean.backward()
        expectClose(
          try #require(y.gradient).floats(),
          [Double](repeating: 1 / Double(count), count: count), "gradient of the mean")
      }
    }
  }

  @Test("column sums, forward and backward", arguments: TestDevice.families)
  func columnSums(family: DeviceFamily) throws {
    let shapes = [
      [1, 1], [5, 3], [1023, 2], [1024, 17], [1025, 64], [7, 127], [3, 128], [2, 129],
      [2, 3, 5, 70],
      [2100, 65],
    ]
    try TestDevice.withStream(family) { stream in
      for shape in shapes {
        let count = shape.reduce(1, *)
        let columns = shape[shape.count - 1]
        let values = randomFloats(count, seed: 1)
        let x = try Tensor(values, shape: shape, on: stream).trained("x")
        let sums = try x.columnSums()
        var want = [Double](repeating: 0, count: columns)
        for index in values.indices { want[index % columns] += Double(values[index]) }
        expectClose(try sums.floats(), want, "column sums of \(shape)")
        let gradient = randomFloats(columns, seed: 2)
        try sums.backward(from: try Tensor(gradient, shape: [columns], on: stream))
        #expect(
          try #require(x.gradient).floats() == (0..<count).map { gradient[$0 % columns] },
          "gradient for \(shape)")
      }
    }
  }

  @Test("sums of nothing", arguments: TestDevice.families)
  func empty(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let nothing = try Tensor([Float](), shape: [0, 3], on: stream)
      #expect(try nothing.sum().floats() == [0])
      #expect(try nothing.mean().floats()[0].isNaN)
      #expect(try nothing.columnSums().floats() == [0, 0, 0])
    }
  }
}
