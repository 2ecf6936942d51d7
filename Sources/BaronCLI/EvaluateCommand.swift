import ArgumentParser
import Datasets
import Evaluation
import Formats
import Foundation
import Reporting

/// `baron evaluate`: scores a results file.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Score detections against annotations: COCO, OV-COCO or OV-LVIS average precision.")

  @Option(help: ArgumentHelp("The ground truth in COCO or LVIS layout.", valueName: "file.json"))
  var annotations: String

  @Option(help: ArgumentHelp("The detections in COCO results layout.", valueName: "file.json"))
  var detections: String

  @Option(
    help: ArgumentHelp(
      "How classes are divided: ov-coco, coco, ov-lvis or a JSON file.",
      discussion: """
        ov-coco: 48 base and 17 novel classes; coco: no groups; ov-lvis: rare, common and frequent \
        classes. A file holds {"base": [...], "novel": [...]} with names or {"id", "name"}.
        """,
      valueName: "split"))
  var split = "ov-coco"

  @Flag(help: "Score only images with an object of a base or novel class (4836 of COCO val2017).")
  var onlyImagesOfSplit = false

  @Flag(help: "Leave out detections of categories that the annotations do not list.")
  var dropUnknownCategories = false

  @Flag(help: "Add a table with every class.")
  var classes = false

  @Flag(name: .long, help: "Print JSON with every number at full precision instead of tables.")
  var json = false

  func validate() throws {
    guard
      ["ov-coco", "coco", "ov-lvis"].contains(split)
        || FileManager.default.fileExists(atPath: split)
    else {
      throw ValidationError("--split '\(split)' is none of ov-coco, coco, ov-lvis and no file")
    }
  }

  func run() throws {
    var settings = EvaluationSettings()
    settings.onlyImagesOfSplit = onlyImagesOfSplit
    settings.dropsUnknownCategories = dropUnknownCategories
    let summary = try evaluate(
      annotations: annotations, detections: detections, split: try classSplit(),
      settings: settings)
    if json {
      print(summary.json.text(pretty: true))
      return
    }
    let style = TerminalStyle.detect(descriptor: 1)
    print(EvaluationTable.text(summary, style: style), terminator: "")
    if classes { print("\n" + EvaluationTable.classes(summary, style: style), terminator: "") }
  }

  private func classSplit() throws -> ClassSplit {
    let named: OpenVocabularySplit
    switch split {
    case "coco": return .none
    case "ov-lvis": return .frequency
    case "ov-coco": named = .openVocabularyCOCO
    default: named = try OpenVocabularySplit(path: split)
    }
    return .names(base: named.base, novel: named.novel)
  }
}
