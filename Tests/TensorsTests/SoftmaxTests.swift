import Foundation
import OpenCL
import OperatorChecks
import Tensors
import TestSupport
import Testing

@Suite("Softmax")
struct SoftmaxTests {
  static let shapes = [
    [1, 1], [3, 15], [2, 3, 16], [5, 17], [4, 127], [2, 128], [3, 129], [2, 1203], [0, 7],
  ]

  @Test("against float64, forward and backward", arguments: TestDevice.families, [false, true])
  func random(family: DeviceFamily, logarithm: Bool) throws {
    try TestDevice.withStream(family) { stream in
      for shape in Self.shapes {
        let columns = shape[shape.count - 1]
        let x = try Operand(shape, seed: 1, in: -20...20, on: stream)
        let result = try logarithm ? x.tensor.logSoftmax() : x.tensor.softmax()
        let wanted = HostReference.rows(x.values, columns) { HostReference.softmax($0) }
        expectClose(try result.floats(), logarithm ? wanted.map { log($0) } : wanted, "\(shape)")
        let gradient = try backward(result, seed: 2)
        var wantedGradient = gradient
        for start in stride(from: 0, to: gradient.count, by: columns) {
          let row = start..<start + columns
          if logarithm {
            let sum = row.reduce(0.0) { $0 + gradient[$1] }
            for i in row { wantedGradient[i] = gradient[i] - wanted[i] * sum }
          } else {
            let sum = row.reduce(0.0) { $0 + gradient[$1] * wanted[$1] }
            for i in row { wantedGradient[i] = wanted[i] * (gradient[i] - sum) }
          }
        }
        expectClose(
          try x.tensor.gradient?.floats() ?? [], wantedGradient, "gradient of \(shape)")
      }
    }
  }

  @Test("rows of -inf and huge values", arguments: TestDevice.families)
  func extremes(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let infinite = -Float.infinity
      let rows = [infinite, infinite, 3e38, 3e38, infinite, -3e38]
      let x = try Tensor(rows, shape: [3, 2], on: stream).trained("x")
      let softmax = try x.softmax()
      expectClose(try softmax.floats(), [0, 0, 0.5, 0.5, 0, 1] as [Double], "softmax")
      let half = log(0.5)
      expectClose(
        try x.logSoftmax().floats(),
        [-.infinity, -.infinity, half, half, -.infinity, 0] as [Double], "logarithm")
      try softmax.backward(from: try Tensor(repeating: 2, shape: [3, 2], on: stream))
      expectClose(
        try x.gradient?.floats() ?? [], [Double](repeating: 0, count: 6), "gradient")
    }
  }

  @Test(
    "against the peer's numbers",
    .enabled(if: Fixture.available, "the fixture set is missing"),
    arguments: TestDevice.families, [false, true])
  func fixtures(family: DeviceFamily, logarithm: Bool) throws {
    let files = Fixture.files("act", prefix: logarithm ? "log_softmax" : "softmax")
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let x = try fixture.trained("x", on: stream, channelsLast: false)
        let result = try logarithm ? x.logSoftmax() : x.softmax()
        try fixture.expect(result, equals: "y", channelsLast: false)
        try result.backward(from: try fixture.tensor("grad_y", on: stream, channelsLast: false))
        try fixture.expect(x.gradient, equals: "grad_x", channelsLast: false)
      }
    }
  }
}
