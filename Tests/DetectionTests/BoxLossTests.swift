import Detection
import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Box loss")
struct BoxLossTests {
  @Test("smooth L1 against a double reference", arguments: TestDevice.families)
  func smoothL1(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for count in [0, 1, 15, 17, 129, 4095, 4096, 4097, 9001] {
        for beta in [0, 0.25, 1] as [Float] {
          let x = randomFloats(count, seed: 1)
          // Every seventh distance is 0.
          let target = randomFloats(count, seed: 2).enumerated().map {
            $0 % 7 == 0 ? x[$0] : $1
          }
          var loss = 0.0
          var wanted: [Double] = []
          for (value, goal) in zip(x, target) {
            let (distance, edge) = (Double(value) - Double(goal), Double(beta))
            let square = abs(distance) < edge
            loss += square ? distance * distance / (2 * edge) : abs(distance) - edge / 2
            let slope = square ? distance / edge : distance == 0 ? 0 : distance < 0 ? -1 : 1
            wanted.append(3 * slope / 7)
          }
          let source = try Tensor(x, shape: [count], on: stream).trained("x")
          let result = try source.smoothL1(
            try Tensor(target, shape: [count], on: stream), beta: beta, divisor: 7)
          #expect(result.shape == [])
          expectClose(try result.floats(), [loss / 7], "\(count) elements, beta \(beta)")
          try result.scaled(by: 3).backward()
          expectClose(
            try source.gradient?.floats() ?? [], wanted, "gradient, \(count), beta \(beta)")
        }
      }
    }
  }

  @Test(
    "box losses of the RoI head against the peer",
    .enabled(if: Fixture.available, "no fixtures: set BARON_FIXTURES or BARON_SHARED"),
    arguments: TestDevice.families, Fixture.files("roi", prefix: "loss_"))
  func peer(family: DeviceFamily, file: String) throws {
    try TestDevice.withStream(family) { stream in
      let fixture = try Fixture(file)
      let deltas = try fixture.tensor("deltas", on: stream).trained("deltas")
      let weights = try fixture.floats("bbox_weights")
      let rows = try fixture.shape("deltas")[0]
      let positives = (0..<rows).filter { weights[4 * $0] > 0 }.map { Int32($0) }
      let loss = try deltas.gatheredRows(positives).smoothL1(
        try fixture.tensor("bbox_targets", on: stream).gatheredRows(positives), beta: 0,
        divisor: Float(rows))
      try fixture.expect(loss, equals: "loss_bbox")
      try loss.backward()
      try fixture.expect(deltas.gradient, equals: "grad_deltas")
    }
  }
}
