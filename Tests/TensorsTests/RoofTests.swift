import OpenCL
import Tensors
import TestSupport
import Testing

@Suite("Roof")
struct RoofTests {
  @Test("multiply-adds are done, all of them", arguments: TestDevice.families)
  func multiplyAdds(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for rounds in [0, 1, 7] {
        // Small integers and halves: every step is exact.
        let sum = (0..<Roof.chains).reduce(Float(0)) { sum, chain in
          sum + (0..<rounds).reduce(Float(chain)) { value, _ in value * 2 + 0.5 }
        }
        let result = try Roof.multiplyAdds(rounds: rounds, factor: 2, addend: 0.5, on: stream)
        #expect(try result.floats().allSatisfy { $0 == sum }, "\(rounds) rounds")
        #expect(result.count > 0)
      }
    }
  }

  @Test("a copy holds the same values", arguments: TestDevice.families)
  func copy(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for count in [1, 16383, 16384, 16385] {
        let values = randomFloats(count, seed: UInt64(count))
        let source = try Tensor(values, shape: [count], on: stream)
        #expect(try Roof.copy(source).floats() == values)
      }
    }
  }

  @Test("the share of the roof is that of the scarcer resource")
  func share() {
    let roof = Roof(operationsPerSecond: 100, bytesPerSecond: 10)
    #expect(roof.share(of: Work(operations: 100, bytes: 5), seconds: 2) == 0.5)
    #expect(roof.share(of: Work(operations: 10, bytes: 5), seconds: 1) == 0.5)
    #expect(roof.share(of: Work(), seconds: 1) == nil)
    #expect(roof.share(of: Work(operations: 1), seconds: 0) == nil)
  }

  @Test("a device has a roof")
  func measured() throws {
    try TestDevice.withStream { stream in
      let roof = try Roof.measure(on: stream.queue.context, runs: 1)
      #expect(roof.operationsPerSecond > 0 && roof.operationsPerSecond.isFinite)
      #expect(roof.bytesPerSecond > 0 && roof.bytesPerSecond.isFinite)
    }
  }
}
