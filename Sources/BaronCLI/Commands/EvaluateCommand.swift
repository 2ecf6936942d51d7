import Annotations
import ArgumentParser
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
    abstract:
      "Score detections against annotations: COCO, OV-COCO, OV-LVIS or VOC average precision.",
    discussion: """
      A results file is a JSON array of {"image_id", "category_id", "score"} with "bbox" [x, y, width, \
      height], "segmentation" (run lengths or polygons) or both. Masks are scored beside boxes where \
      both files hold them. The last table says from which score on detections are worth showing: \
      the best F1 at IoU 0.5, one detection a place; a run keeps it for 'baron detect'.

      Examples: baron evaluate --checkpoint runs/first
                baron evaluate --checkpoint published.pth --config ov-coco-fpn-kd
                baron evaluate --checkpoint runs/lvis --split voc \
      --set data.validation_annotations=voc.json --set data.validation_images=VOCdevkit
                baron evaluate --annotations val.json --detections found.json
      """)

  @Option(
    help: ArgumentHelp("The ground truth in COCO or LVIS layout.", valueName: "file.json"),
    completion: .file())
  var annotations: String?

  @Option(
    help: ArgumentHelp("The detections in COCO results layout.", valueName: "file.json"),
    completion: .file())
  var detections: String?

  @OptionGroup var model: ModelOption

  @Option(
    help: ArgumentHelp(
      "How classes are divided: ov-coco, coco, ov-lvis, voc or a JSON file; by default as the model's "
        + "configuration says, else ov-coco.",
      discussion: """
        ov-coco: 48 base and 17 novel classes; coco: the COCO metric without groups, Objects365 too; \
        ov-lvis: rare, common and frequent classes; voc: the VOC devkit's AP50 and AP75. A file holds \
        {"base": [...], "novel": [...]} with names or {"id", "name"}.
        """,
      valueName: "split"), completion: .file())
  var split: String?

  @Option(
    help: ArgumentHelp(
      "Score boxes (bbox) or masks (segm) alone; by default what both files hold.",
      valueName: "bbox|segm"))
  var iou: IoUType?

  @Flag(help: "Score only images with an object of a base or novel class (4836 of COCO val2017).")
  var onlyImagesOfSplit = false

  @Flag(help: "Score only base and novel classes (65 of COCO's 80); other detections do not count.")
  var onlyClassesOfSplit = false

  @Option(
    help: ArgumentHelp(
      "With --split voc: 11-point (default, the rule of 2007) or area (since 2010).",
      valueName: "rule"))
  var vocInterpolation: VOCSettings.Interpolation?

  @Flag(
    help: ArgumentHelp(
      "With --split voc: boxes are a pixel wider and higher than they say.",
      discussion: "For files whose widths are xmax - xmin; those of 'convert-data voc' need it not."
    ))
  var vocLegacyWidth = false

  @Flag(help: "Leave out detections of categories that the annotations do not list.")
  var dropUnknownCategories = false

  @Flag(help: "Accept scores of a validation set of which some images could not be read.")
  var allowMissing = false

  @Flag(help: "Add a table with every class; --json always has it.")
  var perCategory = false

  @Flag(name: .long, help: "Print JSON with every number at full precision instead of tables.")
  var json = false

  @OptionGroup var device: DeviceOption

  func validate() throws {
    if model.checkpoint != nil {
      guard annotations == nil, detections == nil, !dropUnknownCategories else {
        throw ValidationError(
          "a run brings its data: with --checkpoint leave out --annotations, --detections and "
            + "--drop-unknown-categories")
      }
    } else {
      guard annotations != nil, detections != nil else {
        throw ValidationError("give --checkpoint, or --annotations and --detections")
      }
      guard model.isEmpty, !allowMissing else {
        throw ValidationError("--config, --set, --clip and --allow-missing go with --checkpoint")
      }
    }
    let split = split ?? Self.usualSplit
    guard
      [Self.usualSplit, "coco", "ov-lvis", "voc"].contains(split)
        || FileManager.default.fileExists(atPath: split)
    else {
      throw ValidationError("--split '\(split)' is none of ov-coco, coco, ov-lvis, voc and no file")
    }
    guard split == "voc" || (vocInterpolation == nil && !vocLegacyWidth) else {
      throw ValidationError("--voc-interpolation and --voc-legacy-width go with --split voc")
    }
    guard
      !["coco", "ov-lvis", "voc"].contains(split) || !(onlyImagesOfSplit || onlyClassesOfSplit)
    else {
      throw ValidationError(
        "--only-images-of-split and --only-classes-of-split need base and novel classes: "
          + "--split ov-coco or a file")
    }
    guard split != "voc" || iou != .segm else {
      throw ValidationError("--split voc scores boxes only; score masks with --split coco")
    }
  }

  func run() throws {
    let summary = try score()
    if json {
      try Console.print(summary.json.text(pretty: true))
    } else {
      let style = TerminalStyle.detect(descriptor: 1)
      try Console.print(EvaluationTable.text(summary, style: style), terminator: "")
      let thresholds = EvaluationTable.thresholds(summary, style: style)
      if !thresholds.isEmpty { try Console.print("\n" + thresholds, terminator: "") }
      if perCategory {
        try Console.print("\n" + EvaluationTable.classes(summary, style: style), terminator: "")
      }
    }
    guard summary.unreadableImages == 0 || allowMissing else {
      throw MissingImages(count: summary.unreadableImages, total: summary.imagesInFile)
    }
  }

  /// Scores that are too low; told after them, so that nobody takes them for the model's.
  private struct MissingImages: Error, CustomStringConvertible {
    let count, total: Int

    var description: String {
      "\(count) of \(total, "image") could not be read, so the scores are too low; complete "
        + "data.validation_images or accept them by --allow-missing"
    }
  }

  private func score() throws -> EvaluationSummary {
    var settings = EvaluationSettings()
    settings.onlyImagesOfSplit = onlyImagesOfSplit
    settings.onlyClassesOfSplit = onlyClassesOfSplit
    settings.dropsUnknownCategories = dropUnknownCategories
    settings.iouTypes = iou.map { [$0] }
    settings.voc.interpolation = vocInterpolation ?? .elevenPoint
    settings.voc.countsLastPixel = vocLegacyWidth
    guard let location = try model.location(warn: Console.warn) else {
      return try evaluate(
        annotations: annotations ?? "", detections: detections ?? "", split: try classSplit(),
        settings: settings, warn: Console.warn)
    }
    let result = try ValidationSession(
      location: location, clip: model.reading.clip, split: split == nil ? nil : try classSplit(),
      settings: settings,
      keepsScores: split == nil && model.reading.overrides.isEmpty && model.reading.clip == nil
        && iou == nil
    ).run(context: try device.makeContext())
    Console.say("detections: \(result.detections)")
    return result.summary
  }

  private func classSplit() throws -> ClassSplit {
    let named: OpenVocabularySplit
    switch split ?? Self.usualSplit {
    case "coco": return .none
    case "ov-lvis": return .frequency
    case "voc": return .voc
    case Self.usualSplit: named = .openVocabularyCOCO
    case let path: named = try OpenVocabularySplit(path: path)
    }
    return .names(base: named.base, novel: named.novel)
  }
}

extension IoUType: ExpressibleByArgument {}

extension VOCSettings.Interpolation: ExpressibleByArgument {}
