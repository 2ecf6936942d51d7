import Formats
import OpenCL

/// A profile as a timeline that Perfetto and `chrome://tracing` open: a row for each queue and one
/// for the host, on the host's clock.
package enum ProfileTrace {
  /// Writes the timeline.
  ///
  /// - Parameters:
  ///   - path: The file; replaced.
  ///   - records: What the device did.
  ///   - hostSpans: What the host did.
  ///   - clockOffset: Nanoseconds to add to a device time to get the host's clock.
  ///   - device: The device's name, shown above its queues.
  /// - Throws: `FormatError` when the file cannot be written.
  package static func write(
    to path: String, records: [Profiler.Record], hostSpans: [Profiler.HostSpan],
    clockOffset: Int64, device: String
  ) throws {
    let trace = try TraceFile(path: path)
    let queues = records.reduce(into: [String]()) { names, record in
      if !names.contains(record.queue) { names.append(record.queue) }
    }
    try trace.nameProcess(device, process: deviceProcess)
    for (index, queue) in queues.enumerated() {
      try trace.nameThread(queue, process: deviceProcess, thread: index + 1)
    }
    try trace.nameProcess("baron", process: hostProcess)
    try trace.nameThread("host", process: hostProcess, thread: 1)
    // Nanoseconds since the first event keep their digits as floating-point microseconds.
    let starts =
      records.map { Int64(bitPattern: $0.start) &+ clockOffset }
      + hostSpans.map { Int64(bitPattern: $0.start) }
    let origin = starts.min() ?? 0
    func microseconds(_ time: UInt64, _ offset: Int64) -> Double {
      Double(Int64(bitPattern: time) &+ offset &- origin) / 1e3
    }
    for record in records {
      let start = microseconds(record.start, clockOffset)
      try trace.span(
        record.name, category: "device", process: deviceProcess,
        thread: (queues.firstIndex(of: record.queue) ?? 0) + 1, start: start,
        duration: max(0, microseconds(record.end, clockOffset) - start),
        arguments: [
          "phase": .string(record.phase), "operations": .number(record.work.operations),
          "bytes": .number(record.work.bytes),
        ])
    }
    for span in hostSpans {
      let start = microseconds(span.start, 0)
      try trace.span(
        span.name, category: "host", process: hostProcess, thread: 1, start: start,
        duration: max(0, microseconds(span.end, 0) - start))
    }
    try trace.close()
  }

  private static let deviceProcess = 1
  private static let hostProcess = 2
}
