import Formats
import Foundation
import OpenCL
import Reporting

extension StepProfile {
  /// The measurement as text: summary, kernels, phases, memory.
  ///
  /// - Parameters:
  ///   - roof: What the device reaches at most.
  ///   - byPhase: Whether launches of a kernel are kept apart by phase.
  ///   - style: Where the text goes.
  /// - Returns: Lines, each with a line end.
  package func text(roof: Roof, byPhase: Bool, style: TerminalStyle) -> String {
    let phases = PhaseUse.collect(records, hostSpans: hostSpans, wallSeconds: wallSeconds)
    return summary(roof: roof) + "\n"
      + KernelTable.text(
        KernelUse.collect(records, byPhase: byPhase), roof: roof, style: style)
      + "\nper step, host time without that of inner phases:\n"
      + PhaseTable.text(phases, queues: reads.map(\.queue), steps: steps, style: style)
      + "\nmemory at its peak:\n" + memoryTable(style)
  }

  private func summary(roof: Roof) -> String {
    let overlap = QueueOverlap(records)
    let count = Double(steps)
    func each(_ seconds: Double) -> String { String(format: "%.2f ms", 1e3 * seconds / count) }
    let idle = max(0, wallSeconds - overlap.anySeconds)
    var lines = [
      "device      \(device.name), \(device.platformName), driver \(device.driver)",
      String(
        format: "roof        %.1f GFLOP/s of multiply-adds, %.1f GB/s of copying",
        1e-9 * roof.operationsPerSecond, 1e-9 * roof.bytesPerSecond),
      "step        \(each(wallSeconds)) over \(steps, "step")",
      "device      busy \(each(overlap.anySeconds)), idle \(each(idle)) a step",
    ]
    if let tuning { lines.insert("tuning      \(tuning.summary)", at: 1) }
    for (queue, reads) in reads {
      let busy = overlap.busySeconds[queue] ?? 0
      lines.append(
        "queue       \(queue): busy \(each(busy)), "
          + String(format: "%.1f host reads a step", Double(reads) / count))
    }
    lines.append("overlap     both queues busy \(each(overlap.overlapSeconds)) a step")
    return lines.map { $0 + "\n" }.joined()
  }

  private func memoryTable(_ style: TerminalStyle) -> String {
    var table = TerminalTable([.text("label")] + memory.map { .number("\($0.queue) MiB") })
    func cell(_ bytes: Int) -> String { String(format: "%.1f", Double(bytes) / 1_048_576) }
    let labels = Set(memory.flatMap(\.byLabel.keys)).map { label in
      (label: label, peaks: memory.map { $0.byLabel[label] ?? 0 })
    }
    for row in labels.sorted(by: {
      ($1.peaks.reduce(0, +), $0.label) < ($0.peaks.reduce(0, +), $1.label)
    })
    where row.peaks.reduce(0, +) > 1_048_576 {
      table.add([row.label] + row.peaks.map(cell))
    }
    table.addRule()
    table.add(["all at a time"] + memory.map { cell($0.peak) })
    table.add(["reserved from the driver"] + memory.map { cell($0.reserved) })
    return table.text(style: style)
  }

  /// The measurement for programs; times are over all steps.
  ///
  /// - Parameters:
  ///   - roof: What the device reaches at most.
  ///   - byPhase: Whether launches of a kernel are kept apart by phase.
  /// - Returns: One object.
  package func json(roof: Roof, byPhase: Bool) -> JSONValue {
    let overlap = QueueOverlap(records)
    let phases = PhaseUse.collect(records, hostSpans: hostSpans, wallSeconds: wallSeconds)
    return .object([
      "device": .string(device.name), "driver": .string(device.driver),
      "tuning": tuning.map { .string($0.digest) } ?? .null,
      "steps": .number(Double(steps)), "wall_seconds": .number(wallSeconds),
      "device_seconds": .number(overlap.anySeconds),
      "overlap_seconds": .number(overlap.overlapSeconds),
      "queue_seconds": .object(overlap.busySeconds.mapValues { .number($0) }),
      "host_reads": .object(
        Dictionary(reads.map { ($0.queue, .number(Double($0.count))) }) { $1 }),
      "roof": .object([
        "operations_per_second": .number(roof.operationsPerSecond),
        "bytes_per_second": .number(roof.bytesPerSecond),
      ]),
      "kernels": KernelTable.json(KernelUse.collect(records, byPhase: byPhase), roof: roof),
      "phases": PhaseTable.json(phases),
      "memory": .array(
        memory.map { pool in
          .object([
            "queue": .string(pool.queue), "peak_bytes": .number(Double(pool.peak)),
            "reserved_bytes": .number(Double(pool.reserved)),
            "peak_bytes_by_label": .object(pool.byLabel.mapValues { .number(Double($0)) }),
          ])
        }),
    ])
  }
}
