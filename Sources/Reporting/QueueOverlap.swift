import OpenCL

/// How busy queues were, and whether they worked at the same time.
package struct QueueOverlap: Sendable, Equatable {
  /// Time during which a queue ran something, by queue.
  package let busySeconds: [String: Double]
  /// Time during which at least one queue ran something.
  package let anySeconds: Double
  /// Time during which at least two queues ran something.
  package let overlapSeconds: Double

  /// Sweeps over the records.
  ///
  /// - Parameter records: What a profiler recorded.
  package init(_ records: [Profiler.Record]) {
    var edges: [(time: UInt64, queue: String, step: Int)] = []
    for record in records where record.end > record.start {
      edges.append((record.start, record.queue, 1))
      edges.append((record.end, record.queue, -1))
    }
    edges.sort { $0.time < $1.time }
    var running: [String: Int] = [:]
    var busy: [String: UInt64] = [:]
    var (any, overlap, last): (UInt64, UInt64, UInt64) = (0, 0, 0)
    for edge in edges {
      let passed = edge.time - last
      let active = running.filter { $0.value > 0 }.keys
      for queue in active { busy[queue, default: 0] += passed }
      if !active.isEmpty { any += passed }
      if active.count > 1 { overlap += passed }
      running[edge.queue, default: 0] += edge.step
      last = edge.time
    }
    busySeconds = busy.mapValues { 1e-9 * Double($0) }
    anySeconds = 1e-9 * Double(any)
    overlapSeconds = 1e-9 * Double(overlap)
  }
}
