import Foundation

/// Two profiles side by side: what became slower or faster, the largest difference first.
package struct ProfileComparison: Sendable, Equatable {
  /// The time of one kernel or phase in both profiles.
  package struct Row: Sendable, Equatable {
    /// The kernel or phase.
    package let name: String
    /// The phase of a kernel, when both profiles keep phases apart.
    package let phase: String?
    /// Seconds a step in the old profile, or nil when it has no such row.
    package let old: Double?
    /// Seconds a step in the new profile, or nil when it has no such row.
    package let new: Double?

    /// New minus old; a row that one side lacks takes no time there.
    package var difference: Double { (new ?? 0) - (old ?? 0) }

    /// New over old, or nil when a side has no such row or the old one took no time.
    package var ratio: Double? {
      guard let old, let new, old > 0 else { return nil }
      return new / old
    }
  }

  /// The older profile.
  package let old: SavedProfile
  /// The newer profile.
  package let new: SavedProfile
  /// Device time by kernel; by phase and kernel when both profiles keep phases apart.
  package let kernels: [Row]
  /// Device time by phase, all queues together.
  package let phases: [Row]
  /// Host time by phase.
  package let hostPhases: [Row]

  /// Compares two profiles.
  ///
  /// - Parameters:
  ///   - old: The older one.
  ///   - new: The newer one.
  package init(old: SavedProfile, new: SavedProfile) {
    self.old = old
    self.new = new
    let byPhase = [old, new].allSatisfy { $0.kernels.allSatisfy { $0.phase != nil } }
    func kernels(of profile: SavedProfile) -> [(Key, Double)] {
      profile.kernels.map { (Key(name: $0.name, phase: byPhase ? $0.phase : nil), $0.seconds) }
    }
    self.kernels = Self.rows(kernels(of: old), kernels(of: new))
    func phases(
      of profile: SavedProfile, _ seconds: (SavedProfile.Phase) -> Double
    ) -> [(Key, Double)] {
      profile.phases.map { (Key(name: $0.name, phase: nil), seconds($0)) }
    }
    self.phases = Self.rows(
      phases(of: old, \.deviceSeconds), phases(of: new, \.deviceSeconds))
    hostPhases = Self.rows(phases(of: old, \.hostSeconds), phases(of: new, \.hostSeconds))
  }

  private struct Key: Hashable {
    let name: String
    let phase: String?
  }

  private static func rows(_ old: [(Key, Double)], _ new: [(Key, Double)]) -> [Row] {
    let old = Dictionary(old, uniquingKeysWith: +)
    let new = Dictionary(new, uniquingKeysWith: +)
    return Set(old.keys).union(new.keys).map { key in
      Row(name: key.name, phase: key.phase, old: old[key], new: new[key])
    }.sorted {
      (abs($1.difference), $0.name, $0.phase ?? "")
        < (abs($0.difference), $1.name, $1.phase ?? "")
    }
  }
}

extension ProfileComparison {
  /// The comparison as text, in milliseconds a step.
  ///
  /// - Parameter style: Where the text goes.
  /// - Returns: Lines, each with a line end.
  package func text(style: TerminalStyle) -> String {
    var lines = [
      "old         \(old.source)", "new         \(new.source)",
      "step        \(Self.milliseconds(old.wallSeconds)) ms before, "
        + "\(Self.milliseconds(new.wallSeconds)) ms now"
        + Self.ratio(old.wallSeconds, new.wallSeconds),
    ]
    if old.device != new.device || old.driver != new.driver {
      lines.append(
        "warning     different devices: \(old.device), driver \(old.driver), "
          + "and \(new.device), driver \(new.driver)")
    }
    return lines.map { $0 + "\n" }.joined() + "\nkernels, device time a step:\n"
      + Self.table("kernel", kernels, style) + "\nphases, device time a step:\n"
      + Self.table("phase", phases, style)
      + "\nphases, host time a step without that of inner phases:\n"
      + Self.table("phase", hostPhases, style)
  }

  private static func table(_ title: String, _ rows: [Row], _ style: TerminalStyle) -> String {
    let hasPhases = rows.contains { $0.phase != nil }
    var table = TerminalTable(
      (hasPhases ? [.text("phase")] : []) + [
        .text(title), .number("old ms"), .number("new ms"), .number("change ms"),
        .number("new/old"),
      ])
    for row in rows {
      let mark = row.old == nil ? "new" : row.new == nil ? "gone" : "-"
      table.add(
        (hasPhases ? [row.phase ?? ""] : []) + [
          row.name, row.old.map(milliseconds) ?? "-", row.new.map(milliseconds) ?? "-",
          String(format: "%+.3f", 1e3 * row.difference),
          row.ratio.map { String(format: "%.2f", $0) } ?? mark,
        ])
    }
    let sums = (
      old: rows.reduce(0) { $0 + ($1.old ?? 0) }, new: rows.reduce(0) { $0 + ($1.new ?? 0) }
    )
    table.addRule()
    table.add(
      (hasPhases ? [""] : []) + [
        "sum", milliseconds(sums.old), milliseconds(sums.new),
        String(format: "%+.3f", 1e3 * (sums.new - sums.old)),
        sums.old > 0 ? String(format: "%.2f", sums.new / sums.old) : "-",
      ])
    return table.text(style: style)
  }

  private static func milliseconds(_ seconds: Double) -> String {
    String(format: "%.3f", 1e3 * seconds)
  }

  private static func ratio(_ old: Double, _ new: Double) -> String {
    old > 0 ? String(format: ", new/old %.2f", new / old) : ""
  }
}
