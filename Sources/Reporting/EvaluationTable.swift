import Evaluation
import Formats
import Foundation

/// An evaluation as text: what was measured, on what, and the numbers in percent (spec evaluation 5.8).
package enum EvaluationTable {
  /// The whole summary without the single classes.
  ///
  /// - Parameters:
  ///   - summary: The evaluation.
  ///   - style: Where the text goes.
  /// - Returns: Lines, each with a line end.
  package static func text(_ summary: EvaluationSummary, style: TerminalStyle) -> String {
    var text = [
      ("protocol", summary.protocolName),
      ("metric", summary.metric),
      ("version", "as \(summary.metricVersion)"),
      ("images", images(summary)),
      ("vocabulary", vocabulary(summary)),
      ("detections", detections(summary)),
    ].map { name, value in
      name + String(repeating: " ", count: 12 - name.count) + value + "\n"
    }.joined()
    let kinds = [("boxes", summary.boxes), ("masks", summary.masks)]
    let isTitled = summary.boxes != nil && summary.masks != nil
    for case (let title, let scores?) in kinds {
      if isTitled { text += "\n\(title)\n" }
      for kind in ["AP", "AR"] {
        text += table(scores, summary.classesWithObjects, of: kind, style)
      }
    }
    return text
  }

  private static func images(_ summary: EvaluationSummary) -> String {
    let unreadable =
      summary.unreadableImages == 0
      ? "" : "; \(summary.unreadableImages) could not be read and count as without detections"
    guard summary.images < summary.imagesInFile else { return "\(summary.images)\(unreadable)" }
    return
      "\(summary.images) of \(summary.imagesInFile): those with an object of a base or novel class"
      + unreadable
  }

  private static func vocabulary(_ summary: EvaluationSummary) -> String {
    let counts = "\(summary.classesWithObjects) with objects"
    guard summary.vocabulary < summary.categoriesInFile else {
      return "\(summary.vocabulary, "class"), \(counts)"
    }
    return
      "\(summary.vocabulary) of \(summary.categoriesInFile, "class"): base and novel ones, "
      + "\(counts)"
  }

  private static func detections(_ summary: EvaluationSummary) -> String {
    var text = "\(summary.detections), at most \(summary.detectionsPerImage) in an image"
    if let score = summary.lowestScore { text += String(format: ", lowest score %.4g", score) }
    if let score = summary.scoreThreshold { text += String(format: ", threshold %.4g", score) }
    if summary.detectionsCounted < summary.detections {
      text += ", \(summary.detectionsCounted) counted"
    }
    return text
  }

  /// From which score on detections are worth showing.
  ///
  /// - Parameters:
  ///   - summary: The evaluation.
  ///   - style: Where the text goes.
  /// - Returns: Lines, each with a line end; empty where nothing was found.
  package static func thresholds(_ summary: EvaluationSummary, style: TerminalStyle) -> String {
    guard !summary.thresholds.isEmpty else { return "" }
    var table = TerminalTable([
      .text("shown"), .number("from score"), .number("F1"), .number("precision"),
      .number("recall"), .number("objects"),
    ])
    for best in summary.thresholds {
      table.add(
        [best.group, ScoreText.of(best.score)]
          + [best.f1, best.precision, best.recall].map { percent($0) } + ["\(best.objects)"])
    }
    return table.text(style: style)
  }

  /// One row per class, by category id.
  ///
  /// - Parameters:
  ///   - summary: The evaluation.
  ///   - style: Where the text goes.
  /// - Returns: Lines, each with a line end.
  package static func classes(_ summary: EvaluationSummary, style: TerminalStyle) -> String {
    let kinds = [("", summary.boxes), ("mask ", summary.masks)]
      .compactMap { prefix, scores in scores.map { (prefix, $0) } }
    let names = ["AP", "AP50", "AP75"]
    var table = TerminalTable(
      [.number("id"), .name("class"), .text("group"), .number("objects")]
        + kinds.flatMap { prefix, _ in names.map { .number(prefix + $0) } })
    for (row, result) in summary.classes.enumerated() {
      let numbers = kinds.flatMap { _, scores in
        let values = scores.classes[row]
        return [values.averagePrecision, values.averagePrecision50, values.averagePrecision75]
      }
      table.add(
        ["\(result.id)", result.name, result.group?.rawValue ?? "-", "\(result.objects)"]
          + numbers.map(percent))
    }
    return table.text(style: style)
  }

  /// The measures of one kind: a row per group of the split, then one for every class.
  private static func table(
    _ scores: EvaluationSummary.Scores, _ count: Int, of kind: String, _ style: TerminalStyle
  ) -> String {
    let groups = scores.groups.filter { group in
      group.measures.contains { $0.name.hasPrefix(kind) }
    }
    // LVIS has further measures over the whole set that repeat the rows of its groups.
    let names = (groups.first?.measures ?? scores.measures).map(\.name)
      .filter { $0.hasPrefix(kind) }
    guard !names.isEmpty else { return "" }
    var table = TerminalTable(
      [.text("classes"), .number("count")] + names.map { .number($0) })
    for group in groups {
      table.add(
        [group.name, "\(group.classesWithObjects)"] + names.map { percent(group[$0]) })
    }
    table.add(["whole set", "\(count)"] + names.map { percent(scores[$0]) })
    return "\n" + table.text(style: style)
  }

  /// A share as percent with two decimals; a dash where there is nothing to measure.
  private static func percent(_ value: Double?) -> String {
    value.map { String(format: "%.2f", $0 * 100) } ?? "-"
  }
}
