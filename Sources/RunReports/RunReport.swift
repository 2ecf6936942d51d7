import Evaluation
import Formats
import Foundation
import Reporting
import Training

/// The file `report.html` of a run: what it learnt, what it finds, where it is wrong, on what and how.
package struct RunReport {
  private let run: RunSource
  /// What the newest detections show; nil without them.
  let findings: RunFindings?
  /// Charts that stand two in a row.
  static let halfWidth = 480.0

  /// Prepares a report.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - warn: Gets one line for each part that cannot be made.
  package init(_ run: RunSource, warn: (String) -> Void) {
    self.run = run
    findings = Self.findings(of: run, warn: warn)
  }

  /// Writes the report into the run's folder, or elsewhere.
  ///
  /// - Parameter path: The file; nil writes `report.html` in the run's folder.
  /// - Returns: The file.
  /// - Throws: `FormatError` when it cannot be written.
  @discardableResult
  package func write(to path: String? = nil) throws -> String {
    let path = path ?? "\(run.path)/report.html"
    try AtomicFile.write(Data(html().utf8), to: path)
    return path
  }

  /// The whole page.
  func html() -> String {
    let kind = run.detector == nil ? "CLIP model" : "open-vocabulary detector"
    var page = HTMLReport(
      title: run.name, subtitle: "\(kind), \(run.done) of \(run.iterations, "iteration")")
    page.tiles(tiles)
    scores(&page)
    if let findings { findings.write(to: &page) }
    TrainingCurves(run).write(to: &page)
    classes(&page)
    RunMachine(run).write(to: &page)
    configuration(&page)
    page.heading("How to repeat it")
    page.preformatted(commands)
    return page.html()
  }

  private static func percent(_ value: Double) -> String { String(format: "%.1f", value) }

  /// From 0 to a little more than the largest percentage.
  static func range(of percents: [Double]) -> ClosedRange<Double> {
    let largest = percents.max() ?? 0
    return 0...max(5, min(100, (largest / 10).rounded(.up) * 10))
  }

  private var tiles: [(label: String, value: String, note: String)] {
    var tiles: [(label: String, value: String, note: String)] = run.measures.prefix(3).compactMap {
      name in
      let values = run.values(of: name)
      guard let last = values.last, let best = values.max(by: { $0.percent < $1.percent }) else {
        return nil
      }
      let isBest = best.percent <= last.percent
      return (
        Self.title(of: name), Self.percent(last.percent),
        isBest
          ? "after \(last.iteration, "iteration")"
          : "best \(Self.percent(best.percent)) after \(best.iteration)"
      )
    }
    let seconds = run.records.map(\.seconds).filter(\.isFinite)
    if !seconds.isEmpty {
      tiles.append(
        (
          "training time", RunMachine.duration(seconds.reduce(0, +)),
          String(format: "%.3g s a step", seconds.sorted()[seconds.count / 2])
        ))
    }
    if let loss = run.records.last?.totalLoss, loss.isFinite {
      tiles.append(("loss", String(format: "%.3g", loss), "of the last step"))
    }
    return tiles
  }

  /// A measure as people write it: "novel AP50".
  static func title(of measure: String) -> String {
    let names = ["r.AP": "rare AP", "c.AP": "common AP", "f.AP": "frequent AP"]
    return names[measure]
      ?? measure.replacing(".", with: " ").replacing("_", with: " ")
  }

  private func scores(_ page: inout HTMLReport) {
    guard !run.evaluations.isEmpty else {
      page.paragraph("The run has not been evaluated yet.")
      return
    }
    page.heading("Scores")
    let first = run.measures.filter { $0.contains(".") || $0.contains("_") }
    let main = first.isEmpty ? ["AP50", "AP"].filter(run.measures.contains) : first
    let wide = ["AP", "AP50", "AP75"].filter(run.measures.contains)
    let plots = [("Base, novel and all classes", main), ("All classes by strictness", wide)]
      .filter { !$0.1.isEmpty }
    page.figures(
      plots.map { title, names in
        (
          svg: SVGPlot(
            title: title, xLabel: "iteration", yLabel: "percent",
            series: names.map { name in
              .init(
                name: Self.title(of: name),
                points: run.values(of: name).map { (Double($0.iteration), $0.percent) })
            }, yRange: Self.range(of: names.flatMap { run.values(of: $0).map(\.percent) }),
            width: Self.halfWidth
          ).svg(), caption: ""
        )
      })
    let groups = run.groups
    guard !groups.isEmpty, let last = run.evaluations.last else { return }
    let names = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR100"]
    page.table(
      columns: [.text("classes"), .number("count")] + names.map { .number($0) },
      rows: groups.map { group in
        let content = last.scores["groups"]?[group]
        return [
          ["r": "rare", "c": "common", "f": "frequent"][group] ?? group,
          content?["classes_with_objects"]?.integer.map { "\($0)" } ?? "-",
        ]
          + names.map { name in
            RunScores.measure("\(group).\(name)", in: last.scores)?.number.map {
              Self.percent(100 * $0)
            } ?? "-"
          }
      }, caption: "After \(last.iteration, "iteration"), in percent; novel classes had no boxes.")
  }

  private static func findings(of run: RunSource, warn: (String) -> Void) -> RunFindings? {
    guard let configuration = run.detector,
      let (iteration, file) = run.evaluations.lazy.reversed().compactMap({ entry in
        run.detections(of: entry.iteration).map { (entry.iteration, $0) }
      }).first
    else { return nil }
    do {
      return try RunFindings(configuration, detections: file, iteration: iteration, warn: warn)
    } catch {
      warn("the report has no pictures and errors: \(error)")
      return nil
    }
  }

  private func classes(_ page: inout HTMLReport) {
    guard let list = run.evaluations.last?.scores["classes"]?.array, !list.isEmpty else { return }
    page.heading("Classes")
    func percent(_ value: JSONValue?) -> String {
      value?.number.map { Self.percent(100 * $0) } ?? "-"
    }
    let sorted = list.sorted { left, right in
      let (one, other) = (left["AP50"]?.number ?? -1, right["AP50"]?.number ?? -1)
      return one != other ? one > other : (left["id"]?.integer ?? 0) < (right["id"]?.integer ?? 0)
    }
    page.details(summary: "\(list.count, "class") by AP50", isOpen: list.count <= 24) { page in
      page.table(
        columns: [
          .text("class"), .text("group"), .number("objects"), .number("AP"), .number("AP50"),
          .number("AP75"),
        ],
        rows: sorted.map { entry in
          [
            entry["name"]?.string ?? "", entry["group"]?.string ?? "-",
            entry["objects"]?.integer.map { "\($0)" } ?? "-", percent(entry["AP"]),
            percent(entry["AP50"]), percent(entry["AP75"]),
          ]
        })
    }
  }

  private func configuration(_ page: inout HTMLReport) {
    page.heading("Configuration")
    if let nearest = run.detector?.nearestPreset() {
      if nearest.differences.isEmpty {
        page.paragraph("All values but the places of files are those of \(nearest.name).")
      } else {
        page.table(
          columns: [.text("key"), .text("value"), .text("in \(nearest.name)")],
          rows: nearest.differences.map { [$0.key, Self.short($0.value), Self.short($0.other)] },
          caption: "What differs from \(nearest.name), the nearest preset; places of files aside.")
      }
    }
    page.details(summary: "All keys") { $0.preformatted(run.yaml) }
  }

  private static func short(_ value: String) -> String {
    value.count > 80 ? value.prefix(79) + "\u{2026}" : value
  }

  private var commands: String {
    let verb = run.detector == nil ? "clip-train" : "train"
    var lines = run.sessions.last?["command"]?.string.map { [$0] } ?? []
    lines.append("baron \(verb) \(run.path)/config.yaml --run runs/again")
    if run.detector != nil {
      lines.append("baron evaluate --checkpoint \(ShellWord.quoted(run.path)) --per-category")
      lines.append(
        "baron detect PICTURES --checkpoint \(ShellWord.quoted(run.path)) --vocabulary "
          + "\"NAME, NAME\"")
    }
    return lines.joined(separator: "\n")
  }
}
