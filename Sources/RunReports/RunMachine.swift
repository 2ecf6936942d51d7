import Formats
import Foundation
import Reporting
import Training

/// On what a run was trained, how fast, in how much memory, and where the time went.
struct RunMachine {
  private static let kernelRows = 25

  private let run: RunSource

  init(_ run: RunSource) { self.run = run }

  func write(to page: inout HTMLReport) {
    page.heading("Machine, speed and memory")
    page.table(columns: [.text(""), .text("")], rows: rows)
    kernels(&page)
  }

  private var rows: [[String]] {
    var rows: [[String]] = []
    if let session = run.sessions.last {
      let keys = [
        ("device", "device"), ("driver", "driver"), ("platform", "platform"), ("system", "system"),
        ("program", "version"), ("command", "command"), ("started", "started"), ("ended", "ended"),
        ("outcome", "outcome"),
      ]
      rows += keys.compactMap { title, key in session[key]?.string.map { [title, $0] } }
      if run.sessions.count > 1 { rows.append(["sessions", "\(run.sessions.count)"]) }
    }
    let seconds = run.records.map(\.seconds).filter(\.isFinite)
    if !seconds.isEmpty {
      let sorted = seconds.sorted()
      let middle = sorted[sorted.count / 2]
      rows.append([
        "seconds a step",
        String(
          format: "%.3g (median), %.3g to %.3g in nine of ten", middle,
          sorted[sorted.count / 20], sorted[min(sorted.count - 1, sorted.count * 19 / 20)]),
      ])
      rows.append(["time of all steps", Self.duration(seconds.reduce(0, +))])
    }
    func median(_ values: [Double]) -> Double? {
      let sorted = values.filter(\.isFinite).sorted()
      return sorted.isEmpty ? nil : sorted[sorted.count / 2]
    }
    if let speed = median(run.records.map(\.imagesPerSecond)) {
      rows.append(["images a second", String(format: "%.3g (median)", speed)])
    }
    if let wait = median(run.records.map(\.dataWaitShare)) {
      rows.append(["waiting for data", String(format: "%.1f %% (median)", 100 * wait)])
    }
    if let peak = run.records.map(\.memoryPeak).max(), peak > 0 {
      rows.append(["device memory, peak", String(format: "%.1f MB", Double(peak) / 1e6)])
    }
    return rows
  }

  /// The costliest kernels, where a profile lies in the run's folder.
  private func kernels(_ page: inout HTMLReport) {
    let path = "\(run.path)/profile.json"
    guard FileManager.default.fileExists(atPath: path),
      let profile = try? SavedProfile(contentsOf: path)
    else {
      page.paragraph(
        "'baron profile' writes a table of kernels to profile.json with --json; in the run's folder "
          + "it becomes a part of this report.")
      return
    }
    let sum = profile.kernels.reduce(0) { $0 + $1.seconds }
    let ranked = profile.kernels.sorted { $0.seconds > $1.seconds }.prefix(Self.kernelRows)
    page.table(
      columns: [.text("kernel"), .text("phase"), .number("ms a step"), .number("share %")],
      rows: ranked.map { kernel in
        [
          kernel.name, kernel.phase ?? "-", String(format: "%.3f", 1e3 * kernel.seconds),
          String(format: "%.1f", sum > 0 ? 100 * kernel.seconds / sum : 0),
        ]
      },
      caption: "Kernels by cost on \(profile.device), "
        + String(format: "%.3g ms a step by the clock", 1e3 * profile.wallSeconds))
  }

  /// A time as people say it.
  static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "-" }
    if seconds < 60 { return String(format: "%.0f s", seconds) }
    let minutes = Int(seconds / 60)
    if minutes < 5 { return "\(minutes) min \(Int(seconds) % 60) s" }
    guard minutes >= 60 else { return "\(minutes) min" }
    return minutes < 48 * 60
      ? "\(minutes / 60) h \(minutes % 60) min" : "\(minutes / 1440) d \(minutes / 60 % 24) h"
  }
}
