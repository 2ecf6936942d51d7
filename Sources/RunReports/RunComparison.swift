import Formats
import Foundation
import Reporting
import Training

/// Runs side by side: what they were told to do differently, and what came of it.
package struct RunComparison {
  private let runs: [RunSource]
  /// What each run is called: its name, or its path where names are equal.
  private let names: [String]

  /// Compares runs.
  ///
  /// - Parameter runs: At least two, in the order of the columns.
  package init(_ runs: [RunSource]) {
    self.runs = runs
    let counts = Dictionary(runs.map { ($0.name, 1) }, uniquingKeysWith: +)
    names = runs.map { counts[$0.name] == 1 ? $0.name : $0.path }
  }

  /// The keys whose values are not the same in all runs, with the value of each run.
  private var differing: [(key: String, values: [String?])] {
    let tables = runs.map { run in
      Dictionary(run.keys.entries.map { ($0.key, $0.value) }) { first, _ in first }
    }
    var seen: Set<String> = []
    let keys = runs.flatMap { $0.keys.entries.map(\.key) }.filter { seen.insert($0).inserted }
    return keys.compactMap { key in
      let values = tables.map { $0[key] }
      return Set(values).count > 1 ? (key, values) : nil
    }
  }

  private var measures: [String] {
    var seen: Set<String> = []
    return runs.flatMap(\.measures).filter { seen.insert($0).inserted }
  }

  private static func percent(_ value: Double) -> String { String(format: "%.2f", value) }

  /// The rows of scores and of speed.
  private var results: [[String]] {
    var rows = measures.map { measure in
      [RunReport.title(of: measure)]
        + runs.map { run in
          let values = run.values(of: measure)
          guard let last = values.last else { return "-" }
          let best = values.max { $0.percent < $1.percent } ?? last
          return best.percent > last.percent
            ? "\(Self.percent(last.percent)) (\(Self.percent(best.percent)) at \(best.iteration))"
            : Self.percent(last.percent)
        }
    }
    rows.append(["iterations"] + runs.map { "\($0.done)" })
    rows.append(["last loss"] + runs.map { Self.short($0.records.last?.totalLoss) })
    rows.append(["seconds a step"] + runs.map { Self.short($0.medianSeconds) })
    let peaks = runs.map { $0.records.map(\.memoryPeak).max().map { Double($0) / 1e6 } }
    rows.append(["memory, MB"] + peaks.map(Self.short))
    return rows
  }

  private static func short(_ value: Double?) -> String {
    value.flatMap { $0.isFinite ? String(format: "%.4g", $0) : nil } ?? "-"
  }

  private var columns: [TerminalTable.Column] {
    // A path tells runs of one name apart, by any of its parts.
    names.map { .number(Self.cell($0, $0.contains("/") ? 4096 : 40)) }
  }

  /// Both tables for a terminal.
  ///
  /// - Parameter style: Where the text goes.
  /// - Returns: Lines, each with a line end.
  package func text(style: TerminalStyle) -> String {
    var scores = TerminalTable([.text("result")] + columns)
    for row in results { scores.add(row) }
    var text = scores.text(style: style) + "\n"
    let differing = differing
    guard !differing.isEmpty else { return text + "All keys of their configurations are equal.\n" }
    var keys = TerminalTable([.text("key")] + columns)
    for (key, values) in differing { keys.add([key] + values.map { Self.cell($0, 40) }) }
    text += keys.text(style: style)
    return text
  }

  private static func cell(_ value: String?, _ limit: Int) -> String {
    guard let value else { return "-" }
    // Of a long path the end tells more.
    return value.count > limit ? "\u{2026}" + value.suffix(limit - 1) : value
  }

  /// The comparison for programs.
  package var json: JSONValue {
    let differing = differing
    return [
      "runs": .array(
        runs.indices.map { index in
          let run = runs[index]
          let keys = differing.map { key, values in
            (key, values[index].map { JSONValue.string($0) } ?? .null)
          }
          return [
            "name": .string(names[index]), "path": .string(run.path),
            "iterations": .number(Double(run.done)),
            "seconds_per_step": run.medianSeconds.map { .number($0) } ?? .null,
            "differing_keys": .object(Dictionary(keys) { first, _ in first }),
            "scores": .object(
              Dictionary(
                run.measures.map { ($0, Self.json(run.values(of: $0))) },
                uniquingKeysWith: { first, _ in first })),
          ]
        })
    ]
  }

  private static func json(_ values: [(iteration: Int, percent: Double)]) -> JSONValue {
    .array(
      values.map {
        ["iteration": .number(Double($0.iteration)), "percent": .number($0.percent)]
      })
  }

  /// Both tables and the curves over one another as a page.
  ///
  /// - Returns: HTML, to be written as UTF-8.
  package func html() -> String {
    var page = HTMLReport(
      title: "Runs side by side", subtitle: names.joined(separator: ", "))
    page.heading("Results")
    page.table(
      columns: [.text("")] + columns, rows: results,
      caption:
        "Scores in percent after the last evaluation; in brackets the best, where it was earlier.")
    page.figures(measures.map { (svg: scorePlot($0), caption: "") })
    page.heading("Losses")
    page.figures(losses.map { (svg: lossPlot($0), caption: "") })
    page.heading("Configuration")
    let differing = differing
    if differing.isEmpty {
      page.paragraph("All keys are equal.")
    } else {
      page.table(
        columns: [.text("key")] + names.map { .text($0) },
        rows: differing.map { [$0.key] + $0.values.map { Self.cell($0, 60) } },
        caption: "The keys whose values are not the same in all runs.")
    }
    return page.html()
  }

  private func scorePlot(_ measure: String) -> String {
    SVGPlot(
      title: RunReport.title(of: measure), xLabel: "iteration", yLabel: "percent",
      series: zip(names, runs).map { name, run in
        .init(
          name: name,
          points: run.values(of: measure).map { (Double($0.iteration), $0.percent) })
      }, yRange: RunReport.range(of: runs.flatMap { $0.values(of: measure).map(\.percent) }),
      width: RunReport.halfWidth
    ).svg()
  }

  /// The names of the losses that a run has; the sum has none.
  private var losses: [String?] {
    [nil] + Set(runs.flatMap { $0.records.flatMap(\.losses.keys) }).sorted()
  }

  private func lossPlot(_ loss: String?) -> String {
    let title = loss.map { $0.replacing("loss_", with: "").replacing("_", with: " ") } ?? "sum"
    return SVGPlot(
      title: "Loss: \(title)", xLabel: "iteration", yLabel: "weighted loss",
      series: zip(names, runs).map { name, run in
        .init(
          name: name,
          points: run.records.compactMap { record in
            guard let value = loss.map({ record.losses[$0] }) ?? record.totalLoss, value.isFinite
            else { return nil }
            return (Double(record.iteration), value)
          })
      }, width: RunReport.halfWidth
    ).svg()
  }
}
