import Formats
import Foundation
import OpenCL
import Reporting
import Tensors
import TestSupport
import Testing

/// Kernel table, queue overlap and trace of a small profile of two queues.
@Suite("Profiles")
struct ProfileTests {
  private func withProfile(_ body: (Profiler) throws -> Void) throws {
    try TestDevice.withContext { context in
      let profiler = Profiler()
      let student = try ComputeStream(context: context, name: "student", profiler: profiler)
      let teacher = try ComputeStream(
        context: context, name: "teacher", library: student.library, profiler: profiler)
      for stream in [student, teacher] {
        let x = try Tensor(repeating: 1, shape: [300, 300], on: stream)
        try stream.phase("work of \(stream.queue.name)") {
          for _ in 0..<3 { _ = try x.scaled(by: 2) }
          _ = try x.matrixProduct(x).floats()
        }
      }
      try profiler.resolve()
      try body(profiler)
    }
  }

  @Test("kernels are added up by name and by phase")
  func table() throws {
    try withProfile { profiler in
      let uses = KernelUse.collect(profiler.records)
      let scale = try #require(uses.first { $0.name == "pointwise_scale_forward" })
      #expect(scale.calls == 6 && scale.bytes == 6 * 8 * 90_000)
      #expect(uses.map(\.seconds) == uses.map(\.seconds).sorted(by: >))
      let phased = KernelUse.collect(profiler.records, byPhase: true)
      #expect(phased.count { $0.name == "pointwise_scale_forward" && $0.calls == 3 } == 2)
      let roof = Roof(operationsPerSecond: 1e12, bytesPerSecond: 1e11)
      let text = KernelTable.text(uses, roof: roof, style: .plain)
      #expect(text.contains("pointwise_scale_forward") && text.contains("GFLOP/s"))
    }
  }

  @Test("the time of both queues covers the time of either")
  func overlap() throws {
    try withProfile { profiler in
      let overlap = QueueOverlap(profiler.records)
      #expect(Set(overlap.busySeconds.keys) == ["student", "teacher"])
      let sum = overlap.busySeconds.values.reduce(0, +)
      #expect(abs(overlap.anySeconds + overlap.overlapSeconds - sum) < 1e-9)
      #expect(overlap.busySeconds.values.allSatisfy { $0 > 0 && $0 <= overlap.anySeconds })
    }
  }

  @Test("the trace parses, and no queue runs two kernels at a time")
  func trace() throws {
    try withProfile { profiler in
      let folder = try TemporaryFolder()
      let path = folder.path + "/trace.json"
      try ProfileTrace.write(
        to: path, records: profiler.records, hostSpans: profiler.hostSpans,
        clockOffset: profiler.clockOffset, device: "test")
      let events = try #require(try JSONValue(contentsOf: path).array)
      var ends: [String: Double] = [:]
      let spans = events.filter { $0["ph"]?.string == "X" && $0["cat"]?.string != "host" }
      #expect(spans.contains { $0["name"]?.string == "pointwise_scale_forward" })
      let kernels = Set(profiler.records.map(\.name))
      let ordered = spans.filter { kernels.contains($0["name"]?.string ?? "") }.sorted {
        ($0["ts"]?.number ?? 0) < ($1["ts"]?.number ?? 0)
      }
      #expect(ordered.count == profiler.records.count)
      for span in ordered {
        let track = "\(span["pid"]?.text() ?? "")/\(span["tid"]?.text() ?? "")"
        let start = try #require(span["ts"]?.number)
        #expect(start >= (ends[track] ?? -.infinity) - 0.01)
        ends[track] = start + (span["dur"]?.number ?? 0)
      }
      #expect(ends.count == 2)
    }
  }
}
