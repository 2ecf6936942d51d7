import Formats
import Foundation
import OpenCL
import TestSupport
import Testing

@Suite("Transfer queue")
struct TransferQueueTests {
  @Test("Another thread reads parts as they are done and writes them back before the queue goes on")
  func partsBesideComputation() throws {
    try exclusively { device in
      let context = try Context(device: device)
      let queue = try CommandQueue(context: context, name: "student")
      let kernel = try CommandQueueTests.kernel(context)
      let (count, parts) = (1 << 14, 4)
      let buffer = try queue.buffer([Float](repeating: 1, count: count))
      let other = try queue.buffer([Float](repeating: 0, count: 64))
      let transfer = try TransferQueue(for: buffer, on: context)
      var expected: Float = 1
      for _ in 0..<5 {
        let marks = try (0..<parts).map { _ in
          try queue.launch(kernel, global: [count], local: [64], [.buffer(buffer), .int(100)])
          return try queue.mark()
        }
        // The last mark stands for the whole computation, as gradients are complete at theirs.
        let last = try #require(marks.last)
        let written = Written()
        try ThreadWorld.beside {
          try transfer.wait(for: last)
          for part in 0..<parts {
            let size = 4 * count / parts
            let range = part * size..<(part + 1) * size
            try transfer.read(range)
            let values = UnsafeMutableRawBufferPointer(rebasing: transfer.memory[range])
              .bindMemory(to: Float.self)
            for index in values.indices { values[index] *= 2 }
            written.mark = try transfer.write(range)
          }
        } and: {
          // The queue computes on meanwhile, elsewhere.
          try queue.launch(kernel, global: [64], local: [64], [.buffer(other), .int(1000)])
        }
        try queue.wait(for: try #require(written.mark))
        expected = (expected + Float(100 * parts)) * 2
        #expect(try queue.floats(buffer, count: count).allSatisfy { $0 == expected })
      }
    }
  }

  @Test("A mark knows when it was reached, whenever it is asked")
  func arrivals() throws {
    try exclusively { device in
      let context = try Context(device: device)
      let queue = try CommandQueue(context: context, name: "student")
      let kernel = try CommandQueueTests.kernel(context)
      let buffer = try queue.buffer([Float](repeating: 1, count: 1 << 14))
      let transfer = try TransferQueue(for: buffer, on: context)
      let began = MonotonicClock.seconds
      try queue.launch(kernel, global: [1 << 14], local: [64], [.buffer(buffer), .int(1000)])
      let first = try queue.mark()
      first.noteArrival()
      let second = try queue.mark()
      try transfer.wait(for: first)
      try queue.finish()
      let end = MonotonicClock.seconds
      // The driver tells it from a thread of its own.
      while first.arrival == nil, MonotonicClock.seconds < end + 10 {
        Thread.sleep(forTimeInterval: 0.01)
      }
      let arrival = try #require(first.arrival)
      #expect(arrival > began && arrival < end + 1)
      #expect(second.arrival == nil)
    }
  }

  private final class Written: @unchecked Sendable {
    // Sendable: the thread has ended before it is read.
    var mark: QueueMark?
  }
}
