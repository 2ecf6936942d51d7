import OpenCL
import TestSupport
import Testing

@Suite("Buffer pool")
struct BufferPoolTests {
  @Test("A returned buffer is handed out again")
  func reuse() throws {
    try exclusively { device in
      let queue = try CommandQueue(context: Context(device: device), name: "test")
      do {
        let buffer = try queue.allocate(bytes: 10_000, label: "first")
        try queue.fill(buffer, pattern: 7)
      }
      let reserved = queue.pool.reserved
      #expect(queue.pool.total.live == 0 && reserved >= 10_000)
      let again = try queue.allocate(bytes: 9_990, label: "second")
      #expect(queue.pool.reserved == reserved)
      #expect(try queue.floats(again, count: 1).first?.bitPattern == 7)
      let other = try queue.allocate(bytes: 9_990, label: "second")
      #expect(queue.pool.reserved == 2 * reserved)
      #expect(again.bytes == 9_990 && other.bytes == 9_990)
    }
  }

  @Test("Use is counted by label, with peaks that can be reset")
  func statistics() throws {
    try exclusively { device in
      let queue = try CommandQueue(context: Context(device: device), name: "test")
      // 4096 and 8192 are sizes that the pool does not round up.
      let kept = try queue.allocate(bytes: 4096, label: "weights")
      do {
        let maps = try (0..<3).map { _ in try queue.allocate(bytes: 8192, label: "maps") }
        // Optimised code may let go of a buffer after its last use.
        withExtendedLifetime(maps) {
          #expect(queue.pool.byLabel["maps"]?.live == 3 * 8192)
          #expect(queue.pool.total.live == 4096 + 3 * 8192)
        }
      }
      let maps = try #require(queue.pool.byLabel["maps"])
      #expect(maps.live == 0 && maps.peak == 3 * 8192 && maps.count == 3)
      #expect(queue.pool.byLabel["weights"]?.live == kept.bytes)
      #expect(queue.pool.total.live == 4096 && queue.pool.total.peak == 4096 + 3 * 8192)
      queue.pool.resetPeaks()
      #expect(queue.pool.byLabel["maps"]?.peak == 0 && queue.pool.total.peak == 4096)
      withExtendedLifetime(kept) {}
    }
  }

  @Test("More than the device allows is refused with label, sizes and remedy")
  func tooLarge() throws {
    try exclusively { device in
      let queue = try CommandQueue(context: Context(device: device), name: "test")
      let kept = try queue.allocate(bytes: 3 << 20, label: "kept")
      let bytes = device.largestBufferInBytes + (64 << 20)
      #expect {
        _ = try queue.allocate(bytes: bytes, label: "feature maps")
      } throws: { error in
        "\(error)" == "cannot allocate \(bytes >> 20) MiB for feature maps: the device allows "
          + "\(device.largestBufferInBytes >> 20) MiB for one buffer and 3 MiB are in use; lower "
          + "the image size or the batch size"
      }
      #expect(queue.pool.total.live == kept.bytes)
    }
  }

  @Test("Fresh and reused buffers of a poisoned context are full of NaN")
  func poison() throws {
    try exclusively { device in
      let context = try Context(device: device, poisonsBuffers: true)
      let queue = try CommandQueue(context: context, name: "test")
      for _ in 0..<2 {
        let buffer = try queue.allocate(bytes: 4000, label: "fresh")
        #expect(try queue.floats(buffer, count: 1000).allSatisfy { $0.isNaN })
        try queue.fill(buffer, pattern: 0)
        #expect(try queue.floats(buffer, count: 1000).allSatisfy { $0 == 0 })
      }
    }
  }

  @Test("An empty buffer can be had")
  func empty() throws {
    try exclusively { device in
      let queue = try CommandQueue(context: Context(device: device), name: "test")
      #expect(try queue.allocate(bytes: 0, label: "empty").bytes >= 0)
    }
  }
}
