import ArgumentParser
import Datasets
import Evaluation
import Formats
import Foundation
import Reporting
import Training

/// `baron evaluate`: scores a results file, or a run on its validation set.
struct EvaluateCommand: ParsableCommand {
  private static let usualSplit = "ov-coco"

  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Score detections against annotations: COCO, OV-COCO or OV-LVIS average precision.",
    discussion: """
      Examples: baron evaluate --checkpoint runs/first
                baron evaluate --annotations val.json --detections found.json
      """)

  @Option(help: ArgumentHelp("The ground truth in COCO or LVIS layout.", valueName: "file.json"))
  var annotations: String?

  @Option(help: ArgumentHelp("The detections in COCO results layout.", valueName: "file.json"))
  var detections: String?

  @Option(
    help: ArgumentHelp(
      "A run or one of its checkpoints: detect on the run's validation set, then score.",
      valueName: "run"))
  var checkpoint: String?

  @Option(
    help: ArgumentHelp("With --checkpoint: the CLIP folder, if not the run's.", valueName: "folder")
  )
  var clip: String?

  @Option(
    help: ArgumentHelp(
      "How classes are divided: ov-coco (default), coco, ov-lvis or a JSON file.",
      discussion: """
        ov-coco: 48 base and 17 novel classes; coco: no groups; ov-lvis: rare, common and frequent \
        classes. A file holds {"base": [...], "novel": [...]} with names or {"id", "name"}.
        """,
      valueName: "split"))
  var split: String?

  @Flag(help: "Score only images with an object of a base or novel class (4836 of COCO val2017).")
  var onlyImagesOfSplit = false

  @Flag(help: "Leave out detections of categories that the annotations do not list.")
  var dropUnknownCategories = false

  @Flag(help: "Add a table with every class.")
  var classes = false

  @Flag(name: .long, help: "Print JSON with every number at full precision instead of tables.")
  var json = false

  @OptionGroup var device: DeviceOption

  func validate() throws {
    if checkpoint != nil {
      guard annotations == nil, detections == nil, split == nil, !onlyImagesOfSplit,
        !dropUnknownCategories
      else {
        throw ValidationError(
          "a run brings its data and classes: with --checkpoint leave out --annotations, "
            + "--detections, --split, --only-images-of-split and --drop-unknown-categories")
      }
      return
    }
    guard annotations != nil, detections != nil else {
      throw ValidationError("give --checkpoint, or --annotations and --detections")
    }
    guard clip == nil else { throw ValidationError("--clip goes with --checkpoint") }
    guard let split else { return }
    guard
      [Self.usualSplit, "coco", "ov-lvis"].contains(split)
        || FileManager.default.fileExists(atPath: split)
    else {
      throw ValidationError("--split '\(split)' is none of ov-coco, coco, ov-lvis and no file")
    }
  }

  func run() throws {
    let summary = try score()
    if json {
      print(summary.json.text(pretty: true))
      return
    }
    let style = TerminalStyle.detect(descriptor: 1)
    print(EvaluationTable.text(summary, style: style), terminator: "")
    if classes { print("\n" + EvaluationTable.classes(summary, style: style), terminator: "") }
  }

  private func score() throws -> EvaluationSummary {
    if let checkpoint {
      let result = try ValidationSession(checkpoint: checkpoint, clip: clip)
        .run(context: try device.makeContext())
      FileHandle.standardError.write(Data("detections: \(result.detections)\n".utf8))
      return result.summary
    }
    var settings = EvaluationSettings()
    settings.onlyImagesOfSplit = onlyImagesOfSplit
    settings.dropsUnknownCategories = dropUnknownCategories
    return try evaluate(
      annotations: annotations ?? "", detections: detections ?? "", split: try classSplit(),
      settings: settings)
  }

  private func classSplit() throws -> ClassSplit {
    let named: OpenVocabularySplit
    switch split ?? Self.usualSplit {
    case "coco": return .none
    case "ov-lvis": return .frequency
    case Self.usualSplit: named = .openVocabularyCOCO
    case let path: named = try OpenVocabularySplit(path: path)
    }
    return .names(base: named.base, novel: named.novel)
  }
}
