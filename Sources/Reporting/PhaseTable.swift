import Formats
import Foundation
import OpenCL

/// What one phase of a step cost.
package struct PhaseUse: Sendable, Equatable {
  /// The phase; `other` is what no phase names.
  package let name: String
  /// Launches and transfers that the host enqueued in it.
  package private(set) var calls = 0
  /// Device time by queue.
  package private(set) var queueSeconds: [String: Double] = [:]
  /// Host time without that of phases inside it.
  package private(set) var hostSeconds = 0.0

  /// Device time on all queues.
  package var deviceSeconds: Double { queueSeconds.values.reduce(0, +) }

  /// Adds up a profile by phase, in the order in which the host entered them.
  ///
  /// - Parameters:
  ///   - records: What the device did.
  ///   - hostSpans: What the host did.
  ///   - wallSeconds: How long all of it took; what no phase covers becomes `other`.
  /// - Returns: The phases, `other` last.
  package static func collect(
    _ records: [Profiler.Record], hostSpans: [Profiler.HostSpan], wallSeconds: Double
  ) -> [PhaseUse] {
    var uses: [String: PhaseUse] = [:]
    var order: [String] = []
    func use(_ name: String, _ change: (inout PhaseUse) -> Void) {
      if uses[name] == nil { order.append(name) }
      change(&uses[name, default: PhaseUse(name: name)])
    }
    // Outer spans first: a span is taken off the one that it lies in.
    var open: [Profiler.HostSpan] = []
    var covered = 0.0
    for span in hostSpans.sorted(by: { ($0.start, $1.end) < ($1.start, $0.end) }) {
      let seconds = 1e-9 * Double(span.end - span.start)
      while let outer = open.last, outer.end < span.end || outer.end <= span.start {
        open.removeLast()
      }
      use(span.name) { $0.hostSeconds += seconds }
      if let outer = open.last {
        use(outer.name) { $0.hostSeconds -= seconds }
      } else {
        covered += seconds
      }
      open.append(span)
    }
    for record in records {
      use(record.phase) {
        $0.calls += 1
        $0.queueSeconds[record.queue, default: 0] += 1e-9 * Double(record.end - record.start)
      }
    }
    use(other) { $0.hostSeconds += max(0, wallSeconds - covered) }
    return (order.filter { $0 != other } + [other]).compactMap { uses[$0] }
  }

  private init(name: String) { self.name = name }

  private static let other = "other"
}

/// Phases of a step by cost.
package enum PhaseTable {
  /// The table, in milliseconds a step.
  ///
  /// - Parameters:
  ///   - uses: The phases, in order.
  ///   - queues: The queues that get a column.
  ///   - steps: Steps that were profiled.
  ///   - style: Where the text goes.
  /// - Returns: Lines, each with a line end.
  package static func text(
    _ uses: [PhaseUse], queues: [String], steps: Int, style: TerminalStyle
  ) -> String {
    var table = TerminalTable(
      [.text("phase"), .number("calls/step")] + queues.map { .number("\($0) ms") } + [
        .number("share %"), .number("host ms"),
      ])
    let total = uses.reduce(0) { $0 + $1.deviceSeconds }
    let count = Double(max(1, steps))
    func row(_ name: String, _ uses: [PhaseUse]) -> [String] {
      let device = uses.reduce(0) { $0 + $1.deviceSeconds }
      return [
        name, String(format: "%.1f", Double(uses.reduce(0) { $0 + $1.calls }) / count),
      ]
        + queues.map { queue in
          milliseconds(uses.reduce(0) { $0 + ($1.queueSeconds[queue] ?? 0) } / count)
        } + [
          String(format: "%.1f", total > 0 ? 100 * device / total : 0),
          milliseconds(uses.reduce(0) { $0 + $1.hostSeconds } / count),
        ]
    }
    for use in uses { table.add(row(use.name, [use])) }
    table.addRule()
    table.add(row("sum", uses))
    return table.text(style: style)
  }

  /// The same numbers for programs, over all steps.
  ///
  /// - Parameter uses: The phases, in order.
  /// - Returns: An array of objects.
  package static func json(_ uses: [PhaseUse]) -> JSONValue {
    .array(
      uses.map { use in
        .object([
          "phase": .string(use.name), "calls": .number(Double(use.calls)),
          "queue_seconds": .object(use.queueSeconds.mapValues { .number($0) }),
          "host_seconds": .number(use.hostSeconds),
        ])
      })
  }

  private static func milliseconds(_ seconds: Double) -> String {
    String(format: "%.2f", 1e3 * seconds)
  }
}
