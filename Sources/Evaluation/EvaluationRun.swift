import Annotations
import Formats

/// One ground truth with one set of detections.
struct EvaluationRun {
  private let truth: GroundTruth
  private let results: DetectionResults
  private let settings: EvaluationSettings
  private let groups: OpenVocabularyGroups?
  private let selection: DetectionSelection

  init(
    _ truth: GroundTruth, _ results: DetectionResults, _ settings: EvaluationSettings,
    groups: OpenVocabularyGroups?
  ) {
    self.truth = truth
    self.results = results
    self.settings = settings
    self.groups = groups
    var selection = DetectionSelection(dropsUnknownCategories: settings.dropsUnknownCategories)
    if settings.onlyImagesOfSplit, let groups {
      let wanted = Set(groups.positions.map { Int32($0) })
      let columns = truth.index.annotations
      selection.images = Set(
        zip(columns.images, columns.labels).lazy.filter { wanted.contains($0.1) }.map(\.0))
    }
    self.selection = selection
  }

  /// COCO, or OV-COCO when the classes are divided.
  func coco() throws -> EvaluationSummary {
    let options = AveragePrecisionOptions(cuts: settings.cuts)
    let classes = try COCOProtocol.classes(truth, results, selection)
    return try summary(cocoName, options, classes) { overlaps in
      let scores = try self.scores(classes, options, overlaps(truth))
      let parts = groups.map { groups in
        openVocabulary(
          options, base: groups.base.map { scores[$0] }, novel: groups.novel.map { scores[$0] })
      }
      return cocoScores(options, scores, parts ?? [])
    }
  }

  /// OV-COCO with one ground truth per group.
  func coco(base: GroundTruth, novel: GroundTruth) throws -> EvaluationSummary {
    let options = AveragePrecisionOptions(cuts: settings.cuts)
    let classes = try COCOProtocol.classes(truth, results, selection)
    return try summary(cocoName, options, classes) { overlaps in
      func part(_ truth: GroundTruth) throws -> [ClassScore] {
        let classes = try COCOProtocol.classes(truth, results, selection)
        return try scores(classes, options, overlaps(truth)).filter { $0.objectCounts[0] > 0 }
      }
      return cocoScores(
        options, try scores(classes, options, overlaps(truth)),
        openVocabulary(options, base: try part(base), novel: try part(novel)))
    }
  }

  /// OV-LVIS, whose novel classes are the rare ones.
  func lvis() throws -> EvaluationSummary {
    let frequencies = try LVISProtocol.frequencies(of: truth)
    // Detections are cut per image before, over all classes, so that the cut per class is idle.
    let options = AveragePrecisionOptions(cuts: [settings.lvisDetectionsPerImage])
    let classes = try LVISProtocol.classes(
      truth, results, selection, detectionsPerImage: settings.lvisDetectionsPerImage)
    return try summary(("OV-LVIS", "lvis 0.5"), options, classes) { overlaps in
      let table = ScoreTable(
        options: options, classes: try scores(classes, options, overlaps(truth)))
      var parts: [EvaluationSummary.GroupResult] = []
      var measures: [Measure] = []
      for frequency in COCOAnnotations.Frequency.allCases {
        let part = ScoreTable(
          options: options,
          classes: table.classes.indices.filter { frequencies[$0] == frequency }
            .map { table.classes[$0] })
        parts.append(group(ClassGroup(frequency).rawValue, part, part.precisions))
        measures.append(
          Measure(name: "AP\(frequency.rawValue)", value: part.precision(cut: 0)))
      }
      return EvaluationSummary.Scores(
        measures: table.lvis(groups: measures), groups: parts,
        classes: classResults(options, table.classes, frequencies.map { ClassGroup($0) }))
    }
  }

  /// PASCAL VOC by the rule of its devkit, boxes only.
  func voc() throws -> EvaluationSummary {
    let rule = VOCProtocol(settings: settings.voc, results: results)
    let options = VOCProtocol.options
    let classes = try VOCProtocol.classes(truth, results, selection)
    return try summary(("PASCAL VOC", rule.version), options, classes, metric: rule.description) {
      _ in
      let table = ScoreTable(
        options: options,
        classes: try Parallel.map(
          Array(classes.indices), threads: settings.threads, state: {}
        ) { _, index in
          var boxes = classes[index]
          boxes.sort()
          return rule.score(boxes)
        })
      return EvaluationSummary.Scores(
        measures: VOCProtocol.thresholds.map { threshold in
          Measure(
            name: "AP\(Int(threshold * 100))", value: table.precision(threshold: threshold, cut: 0))
        }, groups: [], classes: classResults(options, table.classes, []))
    }
  }

  private var cocoName: (String, String) {
    guard let groups else { return ("COCO", "pycocotools 2.0") }
    // The rules are the same, but scores of other classes are none of the benchmark's.
    let isBenchmark = groups.areOfBenchmark(in: truth)
    return (isBenchmark ? "OV-COCO" : "COCO, base and novel", "pycocotools 2.0")
  }

  /// What to score: what the settings ask for, else what both files hold.
  private func iouTypes(hasMaskProtocol: Bool) throws -> [IoUType] {
    if let asked = settings.iouTypes {
      guard hasMaskProtocol || !asked.contains(.segm) else { throw EvaluationError.noMaskProtocol }
      return IoUType.allCases.filter(asked.contains)
    }
    let hasMasks = hasMaskProtocol && results.masks.hasAny && truth.masks.hasAny
    let hasBoxes = results.firstWithoutBox != 0
    return (hasBoxes || !hasMasks ? [.bbox] : []) + (hasMasks ? [.segm] : [])
  }

  /// Sorts and scores every class, on all threads, large classes first.
  private func scores(
    _ classes: [ClassBoxes], _ options: AveragePrecisionOptions, _ overlaps: Overlaps
  ) throws -> [ClassScore] {
    let order = classes.indices.sorted { left, right in
      let sizes = (classes[left].candidates.count, classes[right].candidates.count)
      return sizes.0 != sizes.1 ? sizes.0 > sizes.1 : left < right
    }
    return try Parallel.map(
      order, threads: settings.threads, state: { ClassScorer(options: options) }
    ) { scorer, index in
      var boxes = classes[index]
      boxes.sort()
      return try scorer.score(boxes, overlaps)
    }
  }

  /// The scores of the vocabulary: of the split's classes alone where the settings ask for it.
  private func cocoScores(
    _ options: AveragePrecisionOptions, _ scores: [ClassScore],
    _ parts: [EvaluationSummary.GroupResult]
  ) -> EvaluationSummary.Scores {
    var members: [ClassGroup?] = Array(repeating: nil, count: truth.categories.count)
    for position in groups?.base ?? [] { members[position] = .base }
    for position in groups?.novel ?? [] { members[position] = .novel }
    let table = ScoreTable(options: options, classes: vocabulary.map { scores[$0] })
    return EvaluationSummary.Scores(
      measures: table.coco, groups: parts, classes: classResults(options, scores, members))
  }

  /// The positions of the categories that are scored.
  private var vocabulary: [Int] {
    guard settings.onlyClassesOfSplit, let groups else { return Array(truth.categories.indices) }
    return groups.positions
  }

  /// Base, novel and all: AP is a mean over classes, so "all" is the mean over both groups.
  private func openVocabulary(
    _ options: AveragePrecisionOptions, base: [ClassScore], novel: [ClassScore]
  ) -> [EvaluationSummary.GroupResult] {
    [("base", base), ("novel", novel), ("all", base + novel)].map { name, classes in
      let table = ScoreTable(options: options, classes: classes)
      return group(name, table, table.coco)
    }
  }

  private func group(
    _ name: String, _ table: ScoreTable, _ measures: [Measure]
  ) -> EvaluationSummary.GroupResult {
    EvaluationSummary.GroupResult(
      name: name, classes: table.classes.count,
      classesWithObjects: table.classes.count { $0.objectCounts[0] > 0 }, measures: measures)
  }

  private func classResults(
    _ options: AveragePrecisionOptions, _ scores: [ClassScore], _ members: [ClassGroup?]
  ) -> [EvaluationSummary.ClassResult] {
    let last = options.cuts.count - 1
    return vocabulary.map { index in
      let single = ScoreTable(options: options, classes: [scores[index]])
      return EvaluationSummary.ClassResult(
        id: truth.categories[index].id, name: truth.categories[index].name,
        group: members.isEmpty ? nil : members[index], objects: scores[index].objectCounts[0],
        averagePrecision: options.thresholds.count > 2
          ? single.precision(cut: single.mainCut) : nil,
        averagePrecision50: single.precision(threshold: 0.5, cut: last),
        averagePrecision75: single.precision(threshold: 0.75, cut: last))
    }
  }

  /// Scores by boxes, by masks or by both.
  ///
  /// `score` gets what measures overlaps with the objects of a ground truth.
  private func summary(
    _ name: (protocol: String, version: String), _ options: AveragePrecisionOptions,
    _ classes: [ClassBoxes], metric: String? = nil,
    score: ((GroundTruth) throws -> Overlaps) throws -> EvaluationSummary.Scores
  ) throws -> EvaluationSummary {
    let types = try iouTypes(hasMaskProtocol: metric == nil)
    var boxes: EvaluationSummary.Scores?
    var masks: EvaluationSummary.Scores?
    if types.contains(.bbox) {
      try results.checkBoxes()
      boxes = try score { _ in .boxes(results.boxes) }
    }
    if types.contains(.segm) {
      let found = try MaskOverlaps.Found(results, truth, threads: settings.threads)
      masks = try score { truth in
        .masks(try MaskOverlaps(found, truth, threads: settings.threads))
      }
    }
    var perImage: [Int: Int] = [:]
    for found in results.boxes { perImage[found.imageID, default: 0] += 1 }
    let thresholds =
      boxes == nil
      ? []
      : try MatchedDetections(shown: classes, results, threads: settings.threads)
        .best(thresholdGroups)
    let vocabulary = vocabulary
    let kinds = types.map(\.noun).joined(separator: " and ")
    return EvaluationSummary(
      protocolName: name.protocol, metric: metric ?? "\(kinds) AP, \(options)",
      metricVersion: name.version,
      images: selection.images(of: truth).count { $0 }, imagesInFile: truth.imageOrder.count,
      vocabulary: vocabulary.count, categoriesInFile: truth.categories.count,
      classesWithObjects: (boxes ?? masks)?.classes.count { $0.objects > 0 } ?? 0,
      detections: results.boxes.count,
      detectionsCounted: vocabulary.reduce(0) { $0 + classes[$1].candidates.count },
      detectionsPerImage: perImage.values.max() ?? 0,
      lowestScore: results.boxes.lazy.map(\.score).min(),
      scoreThreshold: settings.scoreThreshold, thresholds: thresholds, boxes: boxes, masks: masks)
  }

  /// The classes of a protocol with their detections, and the groups that share a threshold.
  static func prepared(
    _ truth: GroundTruth, _ results: DetectionResults, split: ClassSplit
  ) throws -> (classes: [ClassBoxes], groups: [(name: String, members: [Int])]) {
    var groups: OpenVocabularyGroups?
    let settings = EvaluationSettings()
    let selection = DetectionSelection()
    let classes: [ClassBoxes]
    switch split {
    case .names(let base, let novel):
      groups = try OpenVocabularyGroups(names: base, novel: novel, in: truth)
      classes = try COCOProtocol.classes(truth, results, selection)
    case .categories(let base, let novel):
      groups = try OpenVocabularyGroups(categories: base, novel: novel, in: truth)
      classes = try COCOProtocol.classes(truth, results, selection)
    case .frequency:
      classes = try LVISProtocol.classes(
        truth, results, selection, detectionsPerImage: settings.lvisDetectionsPerImage)
    case .voc: classes = try VOCProtocol.classes(truth, results, selection)
    case .none, .files: classes = try COCOProtocol.classes(truth, results, selection)
    }
    return (classes, EvaluationRun(truth, results, settings, groups: groups).thresholdGroups)
  }

  /// Classes that share a threshold; the rare ones of LVIS are its novel ones.
  private var thresholdGroups: [(name: String, members: [Int])] {
    if let groups { return [("base", groups.base), ("novel", groups.novel)] }
    let categories = truth.categories
    guard categories.allSatisfy({ $0.frequency != nil }) else {
      return [("all", Array(categories.indices))]
    }
    return [
      ("base", categories.indices.filter { categories[$0].frequency != .rare }),
      ("novel", categories.indices.filter { categories[$0].frequency == .rare }),
    ]
  }
}

extension AveragePrecisionOptions: CustomStringConvertible {
  /// The metric in words.
  package var description: String {
    let ends = (thresholds.first ?? 0, thresholds.last ?? 0)
    return "IoU \(ends.0) to \(ends.1) in \(thresholds.count, "step"), "
      + "\(recallPoints.count, "recall point"), at most "
      + cuts.map(String.init).joined(separator: "/") + " detections"
  }
}
