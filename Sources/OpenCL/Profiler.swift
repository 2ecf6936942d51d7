import COpenCL
import Formats

/// Collects when each kernel and transfer ran, from OpenCL event times.
package final class Profiler {
  /// One kernel launch or transfer.
  package struct Record: Sendable {
    /// The kernel's name, or the transfer's kind: `read`, `write`, `copy`, `fill`.
    package let name: String
    /// The queue that ran it.
    package let queue: String
    /// The phase of the step in which the host enqueued it.
    package let phase: String
    /// Start in nanoseconds of the device's clock.
    package let start: UInt64
    /// End in nanoseconds of the device's clock.
    package let end: UInt64
    /// Arithmetic and traffic.
    package let work: Work

    package init(
      name: String, queue: String, phase: String, start: UInt64, end: UInt64, work: Work
    ) {
      self.name = name
      self.queue = queue
      self.phase = phase
      self.start = start
      self.end = end
      self.work = work
    }
  }

  /// A stretch of host time.
  package struct HostSpan: Sendable {
    /// What the host did.
    package let name: String
    /// Start in nanoseconds of the host's monotonic clock.
    package let start: UInt64
    /// End in nanoseconds of the host's monotonic clock.
    package let end: UInt64
  }

  private struct Pending {
    let event: cl_event
    let name: String
    let queue: String
    let phase: String
    let work: Work
  }

  private var pending: [Pending] = []
  private var phases: [String] = []
  /// What ran so far, in the order of enqueueing; complete after ``resolve()``.
  package private(set) var records: [Record] = []
  /// The host's phases, innermost last.
  package private(set) var hostSpans: [HostSpan] = []
  /// Nanoseconds to add to a device time to get the host's clock, where it was measured.
  package internal(set) var clockOffset: Int64 = 0

  /// Creates an empty profiler.
  package init() {}

  deinit { for entry in pending { clReleaseEvent(entry.event) } }

  func add(_ event: cl_event, name: String, queue: String, work: Work) {
    pending.append(
      Pending(
        event: event, name: name, queue: queue, phase: phases.last ?? "other", work: work))
  }

  /// Names what the host enqueues inside `body`, and times the host.
  ///
  /// - Parameters:
  ///   - name: The phase's name.
  ///   - body: The work.
  package func phase<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
    phases.append(name)
    let start = MonotonicClock.nanoseconds
    defer {
      phases.removeLast()
      hostSpans.append(HostSpan(name: name, start: start, end: MonotonicClock.nanoseconds))
    }
    return try body()
  }

  /// Waits for everything that was enqueued and reads its times.
  ///
  /// - Throws: ``OpenCLError`` when the driver has no times.
  package func resolve() throws {
    for entry in pending {
      var event: cl_event? = entry.event
      try check(clWaitForEvents(1, &event), "clWaitForEvents", entry.name)
      var start: cl_ulong = 0
      var end: cl_ulong = 0
      let size = MemoryLayout<cl_ulong>.size
      try check(
        clGetEventProfilingInfo(
          entry.event, cl_profiling_info(CL_PROFILING_COMMAND_START), size, &start, nil),
        "clGetEventProfilingInfo", entry.name)
      try check(
        clGetEventProfilingInfo(
          entry.event, cl_profiling_info(CL_PROFILING_COMMAND_END), size, &end, nil),
        "clGetEventProfilingInfo", entry.name)
      records.append(
        Record(
          name: entry.name, queue: entry.queue, phase: entry.phase, start: start, end: end,
          work: entry.work))
      clReleaseEvent(entry.event)
    }
    pending.removeAll(keepingCapacity: true)
  }

  /// Forgets everything recorded so far, for example after warm-up steps.
  ///
  /// - Throws: ``OpenCLError`` when the driver has no times.
  package func reset() throws {
    try resolve()
    records.removeAll(keepingCapacity: true)
    hostSpans.removeAll(keepingCapacity: true)
  }
}
