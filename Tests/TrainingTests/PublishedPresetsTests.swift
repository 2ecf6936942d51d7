import Baron
import Detection
import Foundation
import Geometry
import Settings
import TestSupport
import Testing

@testable import Training

/// Every published preset against the table of published configurations, line by line
/// (spec training 4.1).
@Suite("Published presets")
struct PublishedPresetsTests {
  /// The preset of each column.
  private static let presets = [
    "A": "ov-coco-fpn-baseline", "B": "ov-coco-fpn-kd", "C": "ov-coco-c4-baseline",
    "D": "ov-coco-c4-kd", "E": "ov-coco-c4-caption", "F": "ov-lvis-baseline", "G": "ov-lvis-kd",
    "H": "ov-lvis-kd-ensemble",
  ]

  private static let hasSpecification = FileManager.default.fileExists(
    atPath: Fixture.sharedFolder + "/spec/training.md")

  private static func load(_ column: String) throws -> RunConfiguration {
    try RunConfiguration.load(
      try #require(presets[column]), overrides: [], environment: [:], directory: "/elsewhere")
  }

  /// The tables of a section: each row's cells, the header first.
  private static func tables(in section: String) throws -> [[[String]]] {
    let text = try String(
      contentsOfFile: Fixture.sharedFolder + "/spec/training.md", encoding: .utf8)
    var tables: [[[String]]] = []
    var isInside = false
    var wasRow = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("## ") { isInside = line.hasPrefix("## \(section) ") }
      let isRow = isInside && line.hasPrefix("|")
      if isRow, !line.hasPrefix("| ---") {
        let cells = line.dropFirst().dropLast().split(
          separator: "|", omittingEmptySubsequences: false
        ).map { $0.trimmingCharacters(in: .whitespaces).replacing("**", with: "") }
        if wasRow { tables[tables.count - 1].append(cells) } else { tables.append([cells]) }
      }
      wasRow = isRow
    }
    return tables
  }

  /// Compares every cell of a table with what the presets say.
  private func walk(
    _ table: [[String]], _ says: (String, RunConfiguration, String) throws -> String?
  ) throws {
    let header = try #require(table.first)
    for row in table.dropFirst() {
      for (cell, columns) in zip(row, header).dropFirst() {
        for column in columns.split(separator: "/") {
          let name = column.trimmingCharacters(in: .whitespaces)
          let found = try #require(
            try says(row[0], try Self.load(name), name), "the row \"\(row[0])\" is not compared")
          #expect(found == cell, "column \(name), \(row[0])")
        }
      }
    }
  }

  @Test(.enabled(if: hasSpecification, "needs $BARON_SHARED/spec"))
  func equalTheTableOfConfigurations() throws {
    let table = try #require(try Self.tables(in: "4.1").first)
    #expect(table.count == 27)
    var cells = table
    // "same" repeats the first column.
    for (row, line) in table.enumerated() {
      cells[row] = line.map { $0 == "same" ? line[1] : $0 }
    }
    try walk(cells) { row, run, column in
      Self.cell(row, run, column)
    }
  }

  @Test(.enabled(if: hasSpecification, "needs $BARON_SHARED/spec"))
  func equalTheTableOfDistillation() throws {
    var table = try #require(try Self.tables(in: "4.1").dropFirst().first)
    for (row, line) in table.enumerated() {
      table[row] = line.map { $0 == "same" ? line[1] : $0 }
    }
    #expect(table.count == 11)
    try walk(table) { row, run, _ in Self.distillationCell(row, run) }
  }

  /// What a configuration says to a row of the first table, in the table's words.
  private static func cell(_ row: String, _ run: RunConfiguration, _ column: String) -> String? {
    let (model, head) = (run.model, run.model.head)
    let isPyramid = head.kind == .fpn
    let isLVIS = run.data.classSplit == RunConfiguration.Data.openVocabularyLVIS
    let extra = run.alignment.kind != .none || run.captions.enabled
    switch row {
    case "detector":
      return "\(model.mask.enabled ? "Mask" : "Faster") \(isPyramid ? "FPN" : "C4")"
    case "RPN": return model.rpn.detached ? "detached" : "plain"
    case "start weights":
      return model.start.contains("soco") ? "SoCo" : model.start.contains("msra") ? "MSRA R50" : ""
    case "norm backbone/FPN":
      return model.backbone.norm == .batch && model.neck.norm == .batch ? "SyncBN" : "frozen BN"
    case "norm box head":
      return isPyramid ? head.norm == .batch ? "SyncBN" : "frozen BN" : "-"
    case "frozen stages": return ["none", "stem", "stem, 1"][model.backbone.frozenStages]
    case "words K": return "\(head.words)"
    case "word dropout": return text(head.wordDropout)
    case "class activation": return head.activation.rawValue
    case "temperature train / test":
      return "\(text(head.temperatureTrain)) / \(text(head.temperatureTest))"
    case "logit bias init":
      return head.logitBias.map { text($0) } ?? "-"
    case "background": return head.background.rawValue
    case "background weight `u_bg`": return text(head.backgroundWeight)
    case "class embeddings":
      // Learned prompts of LVIS come from a file of the user's.
      return isLVIS
        ? "DetPro, \(head.feature.rawValue)"
        : run.clip.templates.isEmpty && head.feature == .lastBlock ? "layer-12, 63 templates" : ""
    case "classification feature": return head.feature == .final ? "final" : "layer-12"
    case "score threshold / max per image":
      let threshold =
        head.detections.scoreThreshold == 1e-4 ? "1e-4" : text(head.detections.scoreThreshold)
      return "\(threshold) / \(head.detections.detectionsPerImage)"
    case "images per process (det + extra)":
      let second = run.captions.enabled ? run.training.captionBatch : run.training.alignmentBatch
      return extra ? "\(run.training.detectionBatch) + \(second)" : "\(run.training.detectionBatch)"
    case "processes":
      let count = run.optimizer.referenceBatch / run.training.detectionBatch
      return ["A", "C", "F", "G", "H"].contains(column) ? "\(count) (inferred)" : "\(count)"
    case "iterations":
      return "\(run.training.iterations / 1000) 000"
    case "steps x0.1 at":
      return run.optimizer.factor == 0.1
        ? run.optimizer.milestones.map { "\($0 / 1000)k" }.joined(separator: ", ") : ""
    case "peak rate": return text(run.optimizer.rate)
    case "weight decay":
      return run.optimizer.weightDecay == 2.5e-5
        ? "2.5e-5" : run.optimizer.weightDecay == 1e-4 ? "1e-4" : ""
    case "gradient clip":
      let limit = run.optimizer.gradientLimit
      switch limit.kind {
      case .none: return "none"
      case .norm: return "L2 norm \(text(limit.limit))"
      case .value: return "value \(limit.limit)"
      }
    case "resize, short side":
      let sides = run.data.shortSides
      return run.data.longSide != 1333
        ? "" : sides == [640, 672, 704, 736, 768, 800] ? "640..800 step 32" : "\(sides[0])"
    case "resampling":
      guard run.data.resampling > 0 else { return "-" }
      return "class-balanced 1e-3\(extra ? " (both streams)" : "")"
    case "evaluation every": return "\(run.training.evaluateEvery / 1000)k"
    default: return nil
    }
  }

  /// What a configuration says to a row of the table of distillation settings.
  private static func distillationCell(_ row: String, _ run: RunConfiguration) -> String? {
    let alignment = run.alignment
    let filter = alignment.filter
    let sampling = alignment.sampling
    switch row {
    case "bag weight / temperature":
      return "\(alignment.bagWeight) / \(text(alignment.bagTemperature))"
    case "individual weight / temperature":
      return "\(alignment.regionWeight) / \(text(alignment.regionTemperature))"
    case "crop attention mask": return alignment.cropMask ? "on" : "off"
    case "ground truth in proposals":
      let truth = Box(x1: 10, y1: 10, x2: 60, y2: 60)
      let chosen = filter([], groundTruth: [truth], width: 100, height: 100)
      return chosen == [ScoredBox(truth, score: 1)] ? "yes" : "no"
    case "top proposals": return "\(filter.topCount)"
    case "aspect / area / score / NMS":
      return [filter.shapeRatio, filter.areaRatio, filter.objectness, filter.overlap].map {
        text($0)
      }
      .joined(separator: " / ")
    case "max groups / permutations":
      return "\(sampling.groupLimit) / \(sampling.permutationLimit)"
    case "alpha / visibility / base prob / interval":
      return [
        sampling.alpha, sampling.visibility, sampling.baseProbability, sampling.interval,
      ].map { text($0) }.joined(separator: " / ")
    case "queues":
      return alignment.bagQueueLength == alignment.regionQueueLength
        ? "4 x \(alignment.bagQueueLength.settingText)" : ""
    case "boxes cache":
      return alignment.cache.enabled
        ? "from call \(alignment.cache.firstCall / 1000) 000" : "off"
    default: return nil
    }
  }

  @Test func captionsAsPublished() throws {
    let run = try Self.load("E")
    #expect(run.captions.enabled && run.alignment.kind == .none)
    #expect(run.captions.weight == 10 && run.captions.temperature == 30)
    #expect(run.model.head.words == 4 && run.model.head.wordDropout == 0.5)
    let filter = run.captions.filter
    #expect(filter.topCount == 128 && filter.overlap == 0.2)
    #expect([filter.shapeRatio, filter.areaRatio, filter.objectness] == [0.25, 0.01, 0.85])
    #expect(run.captions.regionLimit == 10 && run.captions.permutationLimit == 4)
    #expect(run.captions.sentenceQueueLength == 1024 && run.captions.captionQueueLength == 1024)
  }

  @Test func ensembleOnlyInH() throws {
    for column in Self.presets.keys {
      let head = try Self.load(column).model.head
      #expect(head.ensemble == (column == "H" ? .split : .none))
      #expect(abs(head.ensembleFactor - 2.0 / 3) < 1e-6)
    }
  }

  /// Optimizer, input, proposals and limits that the other sections fix (spec training 4.2, 4.5;
  /// detector 2.1, 2.3, 2.5).
  @Test(arguments: presets.keys.sorted()) func otherSections(_ column: String) throws {
    let run = try Self.load(column)
    let isPyramid = run.model.head.kind == .fpn
    #expect(run.optimizer.kind == .sgd && run.optimizer.momentum == 0.9)
    #expect(run.optimizer.warmupIterations == 1000 && run.optimizer.warmupFactor == 0.001)
    #expect(run.data.flipProbability == 0.5 && run.data.testShortSide == 800)
    #expect(run.model.input.pad == 32)
    #expect(run.model.backbone.style == (isPyramid ? .pytorch : .caffe))
    #expect(run.model.input.order == (isPyramid ? .rgb : .bgr))
    let deviations: [Float] = isPyramid ? [58.395, 57.12, 57.375] : [1, 1, 1]
    #expect(run.model.input.std == deviations)
    let means: [Float] = isPyramid ? [123.675, 116.28, 103.53] : [103.53, 116.28, 123.675]
    #expect(run.model.input.mean == means)
    let rpn = run.model.rpn
    let limits = isPyramid ? [2000, 1000, 1000, 1000] : [12000, 6000, 2000, 1000]
    #expect(
      [rpn.preNMSTrain, rpn.preNMSTest, rpn.postNMSTrain, rpn.postNMSTest] == limits)
    #expect(rpn.batchSize == 256 && rpn.positiveFraction == 0.5 && rpn.nmsThreshold == 0.7)
    #expect(rpn.anchorStrides == (isPyramid ? [4, 8, 16, 32, 64] : [16]))
    #expect(rpn.anchorSizes == [32, 64, 128, 256, 512] && rpn.anchorRatios == [0.5, 1, 2])
    let head = run.model.head
    #expect(head.sampling.rois == 512 && head.sampling.positiveFraction == 0.25)
    #expect(head.detections.nmsThreshold == 0.5)
    #expect(head.sampling.matchLowQuality == run.model.mask.enabled)
    #expect(run.training.checkpointEvery == 5000)
    try run.requirePathsForTraining()
  }

  /// A number as the table writes it.
  private static func text<Number: BinaryFloatingPoint>(_ value: Number) -> String {
    Int(exactly: value).map { "\($0)" } ?? "\(value)"
  }
}
