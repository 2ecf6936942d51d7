/// Scores a results file against a ground truth file.
///
/// - Parameters:
///   - annotations: The path of the ground truth in COCO or LVIS layout.
///   - detections: The path of the results in COCO layout.
///   - split: How the classes are divided; also chooses COCO, OV-COCO, OV-LVIS or VOC.
///   - settings: Further choices.
///   - warn: Gets one line for each thing that a file gets wrong without being useless.
/// - Throws: `DatasetError` when a file is malformed, ``EvaluationError`` when the two do not belong
///   together.
package func evaluate(
  annotations: String, detections: String, split: ClassSplit = .none,
  settings: EvaluationSettings = EvaluationSettings(), warn: (String) -> Void
) throws -> EvaluationSummary {
  let truth = try GroundTruth(contentsOf: annotations)
  let results = try DetectionResults(contentsOf: detections)
  for (file, lines) in [(annotations, truth.warnings), (detections, results.warnings)] {
    for line in lines { warn("\(file): \(line)") }
  }
  return try evaluate(truth, results, split: split, settings: settings)
}

/// Scores detections against a ground truth, both in memory.
///
/// - Parameters:
///   - truth: The ground truth.
///   - results: The detections.
///   - split: How the classes are divided; also chooses COCO, OV-COCO, OV-LVIS or VOC.
///   - settings: Further choices.
/// - Throws: ``EvaluationError`` when the two do not belong together.
package func evaluate(
  _ truth: GroundTruth, _ results: DetectionResults, split: ClassSplit = .none,
  settings: EvaluationSettings = EvaluationSettings()
) throws -> EvaluationSummary {
  switch split {
  case .none:
    return try EvaluationRun(truth, results, settings, groups: nil).coco()
  case .names(let base, let novel):
    let groups = try OpenVocabularyGroups(names: base, novel: novel, in: truth)
    return try EvaluationRun(truth, results, settings, groups: groups).coco()
  case .categories(let base, let novel):
    let groups = try OpenVocabularyGroups(categories: base, novel: novel, in: truth)
    return try EvaluationRun(truth, results, settings, groups: groups).coco()
  case .files(let base, let novel):
    return try evaluateParts(
      truth, results, base: GroundTruth(contentsOf: base), novel: GroundTruth(contentsOf: novel),
      settings)
  case .frequency:
    return try EvaluationRun(truth, results, settings, groups: nil).lvis()
  case .voc:
    return try EvaluationRun(truth, results, settings, groups: nil).voc()
  }
}

/// OV-COCO with one ground truth per group; the twelve numbers are those of the whole file.
private func evaluateParts(
  _ truth: GroundTruth, _ results: DetectionResults, base: GroundTruth, novel: GroundTruth,
  _ settings: EvaluationSettings
) throws -> EvaluationSummary {
  func annotatedCategories(_ part: GroundTruth) throws -> [Int] {
    let labels = Set(part.index.annotations.labels.lazy.filter { $0 >= 0 })
    guard !labels.isEmpty else {
      throw EvaluationError.emptyList(file: part.source, list: "annotations")
    }
    return labels.map { part.categories[Int($0)].id }.sorted()
  }
  let groups = try OpenVocabularyGroups(
    categories: annotatedCategories(base), novel: annotatedCategories(novel), in: truth)
  return try EvaluationRun(truth, results, settings, groups: groups)
    .coco(base: base, novel: novel)
}
