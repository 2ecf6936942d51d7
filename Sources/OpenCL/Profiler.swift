import COpenCL
import Formats

/// Collects when each kernel and transfer ran, from OpenCL event times.
public final class Profiler {
  /// One kernel launch or transfer.
  public struct Record: Sendable {
    /// The kernel's name, or the transfer's kind: `read`, `write`, `copy`, `fill`.
    public let name: String
    /// The queue that ran it.
    public let queue: String
    /// The phase of the step in which the host enqueued it.
    public let phase: String
    /// Start in nanoseconds of the device's clock.
    public let start: UInt64
    /// End in nanoseconds of the device's clock.
    public let end: UInt64
    /// Arithmetic and traffic.
    public let work: Work

    /// Puts a record together.
    ///
    /// - Parameters:
    ///   - name: The kernel's name, or the transfer's kind.
    ///   - queue: The queue that ran it.
    ///   - phase: The phase in which the host enqueued it.
    ///   - start: Start in nanoseconds of the device's clock.
    ///   - end: End in nanoseconds of the device's clock.
    ///   - work: Arithmetic and traffic.
    public init(
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
  public struct HostSpan: Sendable {
    /// What the host did.
    public let name: String
    /// Start in nanoseconds of the host's monotonic clock.
    public let start: UInt64
    /// End in nanoseconds of the host's monotonic clock.
    public let end: UInt64

    /// Puts a span together.
    ///
    /// - Parameters:
    ///   - name: What the host did.
    ///   - start: Start in nanoseconds of the host's monotonic clock.
    ///   - end: End in nanoseconds of the host's monotonic clock.
    public init(name: String, start: UInt64, end: UInt64) {
      self.name = name
      self.start = start
      self.end = end
    }
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
  public private(set) var records: [Record] = []
  /// The host's phases, innermost last.
  public private(set) var hostSpans: [HostSpan] = []
  /// Nanoseconds to add to a device time to get the host's clock, where it was measured.
  public internal(set) var clockOffset: Int64 = 0

  /// Creates an empty profiler.
  public init() {}

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
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws.
  public func phase<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
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
  public func resolve() throws {
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
  public func reset() throws {
    try resolve()
    records.removeAll(keepingCapacity: true)
    hostSpans.removeAll(keepingCapacity: true)
  }
}
