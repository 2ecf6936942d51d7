import Formats
import Foundation
import OpenCL

/// What the launches of one kernel, or the transfers of one kind, cost together.
package struct KernelUse: Sendable, Equatable {
  /// The kernel's name, or the transfer's kind.
  package let name: String
  /// The phase that the launches belong to; nil when all phases are taken together.
  package let phase: String?
  /// Launches.
  package private(set) var calls = 0
  /// Time on the device.
  package private(set) var seconds = 0.0
  /// Floating-point operations.
  package private(set) var operations = 0.0
  /// Least traffic in bytes.
  package private(set) var bytes = 0.0

  /// Adds up records by name, the costliest first.
  ///
  /// - Parameters:
  ///   - records: What a profiler recorded.
  ///   - byPhase: Whether launches of different phases are kept apart.
  /// - Returns: One entry per kernel, or per phase and kernel.
  package static func collect(_ records: [Profiler.Record], byPhase: Bool = false) -> [KernelUse] {
    var uses: [[String]: KernelUse] = [:]
    for record in records {
      let phase = byPhase ? record.phase : nil
      let key = [record.name] + (phase.map { [$0] } ?? [])
      var use = uses[key] ?? KernelUse(name: record.name, phase: phase)
      use.calls += 1
      use.seconds += 1e-9 * Double(record.end - record.start)
      use.operations += record.work.operations
      use.bytes += record.work.bytes
      uses[key] = use
    }
    return uses.values.sorted {
      ($1.seconds, $0.name, $0.phase ?? "") < ($0.seconds, $1.name, $1.phase ?? "")
    }
  }

  private init(name: String, phase: String?) {
    self.name = name
    self.phase = phase
  }

  /// The share of the device's roof that it reached, or nil when its work is not known.
  ///
  /// - Parameter roof: The device's roof.
  /// - Returns: The share; see `Roof.share(of:seconds:)`.
  package func share(of roof: Roof) -> Double? {
    roof.share(of: Work(operations: operations, bytes: bytes), seconds: seconds)
  }
}

/// Kernels by cost.
package enum KernelTable {
  /// The table.
  ///
  /// - Parameters:
  ///   - uses: The kernels, in order.
  ///   - roof: What the device reaches at most.
  ///   - style: Where the text goes.
  /// - Returns: Lines, each with a line end.
  package static func text(_ uses: [KernelUse], roof: Roof, style: TerminalStyle) -> String {
    let hasPhases = uses.contains { $0.phase != nil }
    var table = TerminalTable((hasPhases ? [.text("phase")] : []) + columns)
    for (use, cells) in zip(uses, rows(uses, roof: roof)) {
      table.add(hasPhases ? [use.phase ?? ""] + cells : cells)
    }
    return table.text(style: style)
  }

  /// The columns of ``rows(_:roof:)``.
  package static var columns: [TerminalTable.Column] {
    [
      .text("kernel"), .number("calls"), .number("total ms"), .number("mean us"),
      .number("share %"), .number("GFLOP/s"), .number("GB/s"), .number("roof %"),
    ]
  }

  /// The cells of the table.
  ///
  /// - Parameters:
  ///   - uses: The kernels, in order.
  ///   - roof: What the device reaches at most.
  /// - Returns: One row per kernel.
  package static func rows(_ uses: [KernelUse], roof: Roof) -> [[String]] {
    let total = uses.reduce(0) { $0 + $1.seconds }
    return uses.map { use in
      func rate(_ amount: Double) -> String {
        amount > 0 && use.seconds > 0 ? String(format: "%.1f", 1e-9 * amount / use.seconds) : "-"
      }
      return [
        use.name, "\(use.calls)", String(format: "%.3f", 1e3 * use.seconds),
        String(format: "%.1f", 1e6 * use.seconds / Double(use.calls)),
        String(format: "%.1f", total > 0 ? 100 * use.seconds / total : 0), rate(use.operations),
        rate(use.bytes), use.share(of: roof).map { String(format: "%.0f", 100 * $0) } ?? "-",
      ]
    }
  }

  /// The same numbers for programs.
  ///
  /// - Parameters:
  ///   - uses: The kernels, in order.
  ///   - roof: What the device reaches at most.
  /// - Returns: An array of objects.
  package static func json(_ uses: [KernelUse], roof: Roof) -> JSONValue {
    .array(
      uses.map { use in
        var fields: [String: JSONValue] = [
          "kernel": .string(use.name), "calls": .number(Double(use.calls)),
          "seconds": .number(use.seconds), "operations": .number(use.operations),
          "bytes": .number(use.bytes),
          "share_of_roof": use.share(of: roof).map { .number($0) } ?? .null,
        ]
        if let phase = use.phase { fields["phase"] = .string(phase) }
        return .object(fields)
      })
  }
}
