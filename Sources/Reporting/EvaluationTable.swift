import Evaluation
import Foundation

/// An evaluation as text: what was measured, on what, and the numbers in percent (spec 5.8).
public enum EvaluationTable {
  /// The whole summary without the single classes.
  ///
  /// - Parameters:
  ///   - summary: The evaluation.
  ///   - style: Where the text goes.
  /// - Returns: Lines, each with a line end.
  public static func text(_ summary: EvaluationSummary, style: TerminalStyle) -> String {
    var lines = [
      "protocol    \(summary.protocolName)",
      "metric      \(summary.metric)",
      "images      \(summary.images)",
      "vocabulary  \(summary.vocabulary) classes, \(summary.classesWithObjects) with objects",
    ]
    var detections = "detections  \(summary.detections), at most \(summary.detectionsPerImage)"
    detections += " in an image"
    if let score = summary.lowestScore {
      detections += String(format: ", lowest score %.4g", score)
    }
    lines.append(detections)
    return lines.map { $0 + "\n" }.joined()
      + "\n" + table(summary, of: "AP", style) + "\n" + table(summary, of: "AR", style)
  }

  /// One row per class, by category id.
  ///
  /// - Parameters:
  ///   - summary: The evaluation.
  ///   - style: Where the text goes.
  /// - Returns: Lines, each with a line end.
  public static func classes(_ summary: EvaluationSummary, style: TerminalStyle) -> String {
    var table = TerminalTable([
      .number("id"), .text("class"), .text("group"), .number("objects"), .number("AP"),
      .number("AP50"),
    ])
    for result in summary.classes {
      table.add([
        "\(result.id)", result.name, result.group?.rawValue ?? "-", "\(result.objects)",
        percent(result.averagePrecision), percent(result.averagePrecision50),
      ])
    }
    return table.text(style: style)
  }

  /// The measures of one kind: a row per group of the split, then one for every class.
  private static func table(
    _ summary: EvaluationSummary, of kind: String, _ style: TerminalStyle
  ) -> String {
    let groups = summary.groups.filter { group in
      group.measures.contains { $0.name.hasPrefix(kind) }
    }
    // LVIS has further measures over the whole set that repeat the rows of its groups.
    let names = (groups.first?.measures ?? summary.measures).map(\.name)
      .filter { $0.hasPrefix(kind) }
    var table = TerminalTable(
      [.text("classes"), .number("count")] + names.map { .number($0) })
    for group in groups {
      table.add(
        [group.name, "\(group.classesWithObjects)"] + names.map { percent(group[$0]) })
    }
    table.add(
      ["whole set", "\(summary.classesWithObjects)"] + names.map { percent(summary[$0]) })
    return table.text(style: style)
  }

  /// A share as percent with two decimals; a dash where there is nothing to measure.
  private static func percent(_ value: Double?) -> String {
    value.map { String(format: "%.2f", $0 * 100) } ?? "-"
  }
}
