import DemoWorld
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

  /// Which of two names the teacher gives what it sees of an object.
  struct Probe {
    /// Of its box.
    let tight: NameChoice
    /// Of twice its width and height.
    let enlarged: NameChoice
  }

  let seed: Int
  let kind: WorldKind
  let device: String
  let teacher: ZeroShotScore?
  /// Where shapes have two names.
  let probe: Probe?
  let rows: [Row]

  static func percent(_ value: Double) -> String { String(format: "%.1f", value) }

  /// The share of right names and what it is of.
  static func text(_ count: NameChoice.Count?) -> String {
    guard let count, let percent = count.percent else { return "-" }
    return "\(Self.percent(percent)) of \(count.found)"
  }

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

  /// The columns of a second table, of a world in which shapes have two names.
  static let nameColumns: [TerminalTable.Column] = [
    .text("detector"), .number("right of two names, base"), .number("right of two names, novel"),
    .number("novel controls AP50"),
  ]

  /// The cells of the second table; none in another world.
  var nameCells: [[String]] {
    rows.compactMap { row in
      row.score.names.map { names in
        [
          row.variant.name, Self.text(names.base), Self.text(names.novel),
          row.score.controls.map(Self.percent) ?? "-",
        ]
      }
    }
  }

  /// The tables as lines.
  func text(style: TerminalStyle) -> String {
    [(Self.columns, cells), (Self.nameColumns, nameCells)].filter { !$1.isEmpty }
      .map { columns, rows in
        var table = TerminalTable(columns)
        for row in rows { table.add(row) }
        return table.text(style: style)
      }.joined(separator: "\n")
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
          "Bags against crops of single regions: \(gap(bags, crops)).\(kind.remark)")
      }
      if let enlarged = row("enlarged-crops") {
        sentences.append(
          "Bags against enlarged crops, one region with the same ground in view: "
            + "\(gap(bags, enlarged)).")
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
      "world": .string(kind.rawValue), "seed": .number(Double(seed)), "device": .string(device),
      "teacher": teacher?.json ?? .null,
      "teacher_names": probe.map {
        ["tight": $0.tight.json, "enlarged": $0.enlarged.json]
      } ?? .null,
      "variants": .array(
        rows.map { row in
          [
            "name": .string(row.variant.name), "base_ap50": .number(row.score.base),
            "novel_ap50": .number(row.score.novel), "seconds": .number(row.variant.seconds),
            "right_names": row.score.names?.json ?? .null,
            "controls_ap50": row.score.controls.map { .number($0) } ?? .null,
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

extension WorldKind {
  /// What a comparison of bags with crops of single regions can say in this world.
  fileprivate var remark: String {
    switch self {
    case .shapes:
      " In a world this small the teacher names a tight crop almost without fault, and bags need "
        + "not beat such crops; this is no test of the published claim about them."
    case .scenery: ""
    }
  }
}
