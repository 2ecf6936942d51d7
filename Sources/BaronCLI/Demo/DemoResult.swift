import Formats
import Foundation
import Reporting
import Training

/// What a demo found out.
struct DemoResult {
  /// One detector.
  struct Row {
    let variant: DemoVariant
    let score: DemoVariant.Score
  }

  let seed: Int
  let device: String
  let teacher: ZeroShotScore?
  let rows: [Row]

  static func percent(_ value: Double) -> String { String(format: "%.1f", value) }

  /// The columns of the table, for the terminal and the report.
  static let columns: [TerminalTable.Column] = [
    .text("detector"), .text("learns from"), .number("base AP50"), .number("novel AP50"),
    .number("training s"),
  ]

  /// The cells of the table.
  var cells: [[String]] {
    rows.map { row in
      [
        row.variant.name, row.variant.teaching, Self.percent(row.score.base),
        Self.percent(row.score.novel), String(format: "%.0f", row.variant.seconds),
      ]
    }
  }

  /// The table as lines.
  func text(style: TerminalStyle) -> String {
    var table = TerminalTable(Self.columns)
    for row in cells { table.add(row) }
    return table.text(style: style)
  }

  /// What the numbers show, and no more.
  var reading: String {
    func row(_ name: String) -> Row? { rows.first { $0.variant.name == name } }
    func gap(_ more: Row, _ less: Row) -> String {
      String(format: "%+.1f points", more.score.novel - less.score.novel)
    }
    var sentences: [String] = []
    if let bags = row("bags") {
      if let none = row("none") {
        sentences.append(
          "On novel classes, bags against no distillation: \(gap(bags, none)).")
      }
      if let individual = row("individual") {
        sentences.append(
          "Bags against tokens of single regions: \(gap(bags, individual)).")
      }
      if let crops = row("region-crops") {
        sentences.append(
          "Bags against crops of single regions: \(gap(bags, crops)). In a world this small the "
            + "teacher names a tight crop almost without fault, and bags need not beat such crops; "
            + "this is no test of the published claim about them.")
      }
    }
    sentences.append(
      "This is one seed; other seeds move single numbers by several points, and single classes by "
        + "far more.")
    return sentences.joined(separator: " ")
  }

  /// The result for programs.
  var json: JSONValue {
    .object([
      "seed": .number(Double(seed)), "device": .string(device),
      "teacher": teacher?.json ?? .null,
      "variants": .array(
        rows.map { row in
          [
            "name": .string(row.variant.name), "base_ap50": .number(row.score.base),
            "novel_ap50": .number(row.score.novel), "seconds": .number(row.variant.seconds),
            "iterations": .number(Double(row.variant.configuration.training.iterations)),
            "classes": .object(
              Dictionary(
                row.score.classes.map { result in
                  (result.name, result.averagePrecision50.map { .number(100 * $0) } ?? .null)
                }
              ) { first, _ in first }),
          ]
        }),
    ])
  }
}
