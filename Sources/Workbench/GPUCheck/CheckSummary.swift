import Formats
import Foundation
import Reporting

/// What a check found, on one screen.
package struct CheckSummary {
  private let results: [CheckStep.Result]
  private let peer: BenchComparison?

  /// Slowest cases beside a peer that are named.
  private static let worst = 3

  /// Creates a summary.
  ///
  /// - Parameters:
  ///   - results: What the commands left.
  ///   - peer: Another program's times, or nil.
  package init(_ results: [CheckStep.Result], peer: BenchComparison? = nil) {
    self.results = results
    self.peer = peer
  }

  /// A row for each command with what matters most of its numbers.
  package var table: TerminalTable {
    var table = TerminalTable([.text("command"), .text("result"), .number("s"), .text("found")])
    for result in results {
      table.add([
        result.step.name, result.isGood ? "ok" : result.timedOut ? "TOO SLOW" : "FAILED",
        String(format: "%.1f", result.seconds), found(result),
      ])
    }
    return table
  }

  private func found(_ result: CheckStep.Result) -> String {
    let value = result.value
    switch result.step.name {
    case "selftest":
      let checks = value["checks"]?.array ?? []
      let wrong = checks.filter { $0["ok"]?.bool == false }.compactMap { $0["operator"]?.string }
      let products = (value["products"]?.array ?? []).compactMap(\.string)
      return checks.isEmpty
        ? ""
        : "\(checks.count - wrong.count) of \(checks.count) right"
          + (wrong.isEmpty ? "" : ", wrong: \(wrong.prefix(Self.worst).joined(separator: ", "))")
          + products.map { "; \($0)" }.joined()
    case "steps":
      guard let seconds = value["seconds_per_step"]?.number else { return "" }
      return String(format: "%.1f ms a step", 1000 * seconds)
    case "bench", "bench_bfloat16":
      return beside(value.array ?? [])
    default: return ""
    }
  }

  /// The geometric mean beside the peer and the cases that are furthest behind.
  private func beside(_ lines: [JSONValue]) -> String {
    let ratios = lines.compactMap { line -> (name: String, ratio: Double)? in
      guard let name = line["case"]?.string, let wall = line["median_s"]?.number, wall > 0,
        let other = peer?.wallSeconds(of: name)
      else { return nil }
      return (name, other / wall)
    }
    guard !ratios.isEmpty else { return "\(lines.count, "case")" }
    let mean = exp(ratios.map { log($0.ratio) }.reduce(0, +) / Double(ratios.count))
    let last = ratios.sorted { ($0.ratio, $0.name) < ($1.ratio, $1.name) }.prefix(Self.worst)
    return String(format: "%.2f of the peer's speed in %d cases; ", mean, ratios.count)
      + last.map { String(format: "%.2f ", $0.ratio) + $0.name }.joined(separator: ", ")
  }
}
