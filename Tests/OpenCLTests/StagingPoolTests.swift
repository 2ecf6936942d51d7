import Testing

@testable import OpenCL

@Suite("Staging memory", .serialized)
struct StagingPoolTests {
  @Test("Blocks are handed out again for sizes that they fit, and not all are kept")
  func reuse() throws {
    try exclusively { device in
      let pool = StagingPool(context: try Context(device: device))
      let small = pool.take(bytes: 10)
      #expect(small.memory.count == 4096)
      let address = small.memory.baseAddress
      pool.give(small)
      #expect(pool.take(bytes: 4000).memory.baseAddress == address)
      let large = pool.take(bytes: 40 << 20)
      #expect(large.memory.count >= 40 << 20)
      let other = pool.take(bytes: 40 << 20)
      #expect(other.memory.baseAddress != large.memory.baseAddress)
      let kept = large.memory.baseAddress
      pool.give(large)
      // Both would be more than is kept.
      pool.give(other)
      #expect(pool.take(bytes: 40 << 20).memory.baseAddress == kept)
    }
  }

  @Test("Many writes and reads of changing sizes arrive whole")
  func copies() throws {
    try exclusively { device in
      let queue = try CommandQueue(context: Context(device: device), name: "test")
      var reads: [(PendingRead, Float, Int)] = []
      for round in 0..<60 {
        let count = 1 + round * round * 37 % 5000
        let buffer = try queue.buffer([Float](repeating: Float(round), count: count))
        reads.append((try queue.readLater(buffer, bytes: 4 * count), Float(round), count))
        if round % 7 == 0 { reads.removeFirst(reads.count / 2) }
      }
      for (read, value, count) in reads {
        #expect(try read.floats() == [Float](repeating: value, count: count))
      }
      #expect(try queue.readLater(queue.allocate(bytes: 0, label: "none"), bytes: 0).floats() == [])
    }
  }
}
