import Formats
import OpenCL
import TestSupport
import Testing

@Suite("Profiler")
struct ProfilerTests {
  @Test("Every launch and transfer is recorded in order, with phase, work and times")
  func records() throws {
    try exclusively { device in
      let profiler = Profiler()
      let context = try Context(device: device)
      let queue = try CommandQueue(context: context, name: "student", profiler: profiler)
      let kernel = try CommandQueueTests.kernel(context)
      let values = try queue.buffer([Float](repeating: 0, count: 64))
      let target = try queue.allocate(bytes: 256, label: "target")
      try profiler.phase("forward") {
        try queue.launch(
          kernel, global: [64], local: [64], [.buffer(values), .int(100)],
          work: Work(operations: 6400, bytes: 512))
        try profiler.phase("copying") { try queue.copy(from: values, to: target, bytes: 256) }
      }
      try queue.fill(target, pattern: 0)
      _ = try queue.floats(target, count: 64)
      _ = try queue.readLater(target, bytes: 256).floats()
      try profiler.resolve()

      let records = profiler.records
      #expect(records.map(\.name) == ["write", "add_one", "copy", "fill", "read", "read"])
      #expect(records.map(\.phase) == ["other", "forward", "copying", "other", "other", "other"])
      #expect(records.map(\.work.bytes) == [256, 512, 512, 256, 256, 256])
      #expect(records.map(\.work.operations) == [0, 6400, 0, 0, 0, 0])
      #expect(records.allSatisfy { $0.queue == "student" && $0.end >= $0.start })
      // One queue runs in order.
      #expect(zip(records, records.dropFirst()).allSatisfy { $0.end <= $1.start })
      #expect(profiler.hostSpans.map(\.name) == ["copying", "forward"])
      let (inner, outer) = (profiler.hostSpans[0], profiler.hostSpans[1])
      #expect(outer.start <= inner.start && inner.end <= outer.end)
    }
  }

  @Test("A reset forgets what was recorded, and only that")
  func reset() throws {
    try exclusively { device in
      let profiler = Profiler()
      let queue = try CommandQueue(
        context: Context(device: device), name: "student", profiler: profiler)
      let values = try queue.buffer([1])
      try profiler.reset()
      #expect(profiler.records.isEmpty && profiler.hostSpans.isEmpty)
      try queue.fill(values, pattern: 0)
      try profiler.resolve()
      #expect(profiler.records.map(\.name) == ["fill"])
    }
  }

  @Test("The host's clock does not run backwards")
  func clock() {
    let times = (0..<1000).map { _ in MonotonicClock.nanoseconds }
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 <= $1 })
  }
}
