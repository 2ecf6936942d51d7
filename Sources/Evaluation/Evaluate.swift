/// The choices of an evaluation that its files do not settle.
public struct EvaluationSettings: Sendable, Equatable {
  /// How many detections of a class in an image count, ascending.
  ///
  /// Plain COCO has `[1, 10, 100]`, the reference's framework `[100, 300, 1000]` (spec 5.4); LVIS
  /// has no such cut.
  public var cuts = [1, 10, 100]
  /// LVIS: detections in an image that count, over all classes.
  public var lvisDetectionsPerImage = 300
  /// Whether only images with an object of a base or novel class are scored.
  ///
  /// On COCO val2017 those are the 4836 images of the literature instead of all 5000 (spec 5.2).
  public var onlyImagesOfSplit = false
  /// Whether detections of categories that the ground truth does not list are left out instead
  /// of being an error.
  public var dropsUnknownCategories = false

  /// Creates the release's choices.
  public init() {}
}

/// Scores a results file against a ground truth file.
///
/// - Parameters:
///   - annotations: The path of the ground truth in COCO or LVIS layout.
///   - detections: The path of the results in COCO layout.
///   - split: How the classes are divided; also chooses COCO, OV-COCO or OV-LVIS.
///   - settings: Further choices.
/// - Returns: The numbers.
/// - Throws: ``EvaluationError`` when a file is malformed or the two do not belong together.
public func evaluate(
  annotations: String, detections: String, split: ClassSplit = .none,
  settings: EvaluationSettings = EvaluationSettings()
) throws -> EvaluationSummary {
  try evaluate(
    GroundTruth(contentsOf: annotations), DetectionResults(contentsOf: detections), split: split,
    settings: settings)
}

/// Scores detections against a ground truth, both in memory.
///
/// - Parameters:
///   - truth: The ground truth.
///   - results: The detections.
///   - split: How the classes are divided; also chooses COCO, OV-COCO or OV-LVIS.
///   - settings: Further choices.
/// - Returns: The numbers.
/// - Throws: ``EvaluationError`` when the two do not belong together.
public func evaluate(
  _ truth: GroundTruth, _ results: DetectionResults, split: ClassSplit = .none,
  settings: EvaluationSettings = EvaluationSettings()
) throws -> EvaluationSummary {
  let run = EvaluationRun(truth: truth, results: results, settings: settings)
  switch split {
  case .none:
    return try run.coco(name: "COCO", groups: nil)
  case .names(let base, let novel):
    return try run.coco(
      name: "OV-COCO", groups: OpenVocabularyGroups(names: base, novel: novel, in: truth))
  case .categories(let base, let novel):
    return try run.coco(
      name: "OV-COCO", groups: OpenVocabularyGroups(categories: base, novel: novel, in: truth))
  case .files(let base, let novel):
    return try run.coco(
      base: GroundTruth(contentsOf: base), novel: GroundTruth(contentsOf: novel))
  case .frequency:
    return try run.lvis()
  }
}

/// One ground truth with one set of detections.
private struct EvaluationRun {
  let truth: GroundTruth
  let results: DetectionResults
  let settings: EvaluationSettings

  /// All images, or those with an object of the split's classes where the settings ask for it.
  private func selection(_ groups: OpenVocabularyGroups?) -> DetectionSelection {
    var selection = DetectionSelection(dropsUnknownCategories: settings.dropsUnknownCategories)
    if settings.onlyImagesOfSplit, let groups {
      let wanted = Set((groups.base + groups.novel).map { truth.categories[$0].id })
      selection.imageIDs = Set(
        truth.annotations.lazy.filter { wanted.contains($0.categoryID) }.map(\.imageID))
    }
    return selection
  }

  private func scores(_ classes: [ClassBoxes], _ options: AveragePrecisionOptions) -> [ClassScore] {
    var scorer = ClassScorer(options: options)
    return classes.map { scorer.score($0) }
  }

  /// COCO, or OV-COCO when the classes are divided.
  func coco(name: String, groups: OpenVocabularyGroups?) throws -> EvaluationSummary {
    let options = AveragePrecisionOptions(cuts: settings.cuts)
    let selection = selection(groups)
    let table = ScoreTable(
      options: options,
      classes: scores(try COCOProtocol.classes(truth, results, selection), options))
    let groupResults = groups.map { groups in
      openVocabulary(
        options, base: groups.base.map { table.classes[$0] },
        novel: groups.novel.map { table.classes[$0] })
    }
    return summary(
      name: name, table, table.coco, groupResults ?? [], members(groups), selection: selection)
  }

  /// OV-COCO with one ground truth per group; the twelve numbers are those of the whole file.
  func coco(base: GroundTruth, novel: GroundTruth) throws -> EvaluationSummary {
    let options = AveragePrecisionOptions(cuts: settings.cuts)
    let groups = try OpenVocabularyGroups(
      categories: Self.annotatedCategories(base), novel: Self.annotatedCategories(novel), in: truth)
    let selection = selection(groups)
    func groupScores(_ part: GroundTruth) throws -> [ClassScore] {
      scores(try COCOProtocol.classes(part, results, selection), options)
        .filter { $0.objectCounts[0] > 0 }
    }
    let table = ScoreTable(
      options: options,
      classes: scores(try COCOProtocol.classes(truth, results, selection), options))
    return summary(
      name: "OV-COCO", table, table.coco,
      openVocabulary(options, base: try groupScores(base), novel: try groupScores(novel)),
      members(groups), selection: selection)
  }

  private static func annotatedCategories(_ truth: GroundTruth) throws -> [Int] {
    guard !truth.annotations.isEmpty else {
      throw EvaluationError.emptyList(file: truth.source, list: "annotations")
    }
    return Set(truth.annotations.lazy.map(\.categoryID)).sorted()
  }

  /// The group of every category.
  private func members(_ groups: OpenVocabularyGroups?) -> [ClassGroup?] {
    var members: [ClassGroup?] = Array(repeating: nil, count: truth.categories.count)
    for position in groups?.base ?? [] { members[position] = .base }
    for position in groups?.novel ?? [] { members[position] = .novel }
    return members
  }

  /// OV-LVIS, whose novel classes are the rare ones.
  func lvis() throws -> EvaluationSummary {
    let selection = selection(nil)
    let frequencies = try LVISProtocol.frequencies(of: truth)
    // Detections are cut per image before, over all classes, so that the cut per class is idle.
    let options = AveragePrecisionOptions(cuts: [settings.lvisDetectionsPerImage])
    let classes = try LVISProtocol.classes(
      truth, results, selection, detectionsPerImage: settings.lvisDetectionsPerImage)
    let table = ScoreTable(options: options, classes: scores(classes, options))
    var groups: [EvaluationSummary.GroupResult] = []
    var measures: [Measure] = []
    for frequency in GroundTruth.Frequency.allCases {
      let part = ScoreTable(
        options: options,
        classes: table.classes.indices.filter { frequencies[$0] == frequency }
          .map { table.classes[$0] })
      groups.append(group(ClassGroup(frequency).rawValue, part, part.precisions))
      measures.append(
        Measure(name: "AP\(frequency.rawValue)", value: part.precision(cut: 0)))
    }
    return summary(
      name: "OV-LVIS", table, table.lvis(groups: measures), groups,
      frequencies.map { ClassGroup($0) }, selection: selection)
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

  private func summary(
    name: String, _ table: ScoreTable, _ measures: [Measure],
    _ groups: [EvaluationSummary.GroupResult], _ members: [ClassGroup?],
    selection: DetectionSelection
  ) -> EvaluationSummary {
    var perImage: [Int: Int] = [:]
    for found in results.boxes { perImage[found.imageID, default: 0] += 1 }
    let last = table.options.cuts.count - 1
    let classes = table.classes.indices.map { index in
      let single = ScoreTable(options: table.options, classes: [table.classes[index]])
      return EvaluationSummary.ClassResult(
        id: truth.categories[index].id, name: truth.categories[index].name,
        group: members[index], objects: table.classes[index].objectCounts[0],
        averagePrecision: single.precision(cut: single.mainCut),
        averagePrecision50: single.precision(threshold: 0.5, cut: last))
    }
    return EvaluationSummary(
      protocolName: name, metric: table.options.description,
      images: selection.images(of: truth).count { $0 }, vocabulary: truth.categories.count,
      classesWithObjects: classes.count { $0.objects > 0 }, detections: results.boxes.count,
      detectionsPerImage: perImage.values.max() ?? 0,
      lowestScore: results.boxes.lazy.map(\.score).min(), measures: measures, groups: groups,
      classes: classes)
  }
}

extension AveragePrecisionOptions: CustomStringConvertible {
  /// The metric in words.
  public var description: String {
    let ends = (thresholds.first ?? 0, thresholds.last ?? 0)
    return "box AP, IoU \(ends.0) to \(ends.1) in \(thresholds.count) steps, "
      + "\(recallPoints.count) recall points, at most "
      + cuts.map(String.init).joined(separator: "/") + " detections"
  }
}
