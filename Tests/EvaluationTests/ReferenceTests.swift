import Evaluation
import Formats
import TestSupport
import Testing

/// The numbers of pycocotools and lvis.
@Suite(
  .enabled(
    if: EvaluationFixtures.exists(EvaluationFixtures.folder), "the folder of fixtures is missing"))
struct ReferenceTests {
  @Test func cocoNumbersAgree() throws {
    let summary = try evaluate(
      annotations: EvaluationFixtures.path("coco_gt"),
      detections: EvaluationFixtures.path("coco_detections"),
      warn: { Issue.record("\($0)") })
    let expected = try JSONValue(contentsOf: EvaluationFixtures.path("coco_expected"))
    #expect(summary.measures.count == 12)
    try EvaluationFixtures.compare(expected["stats"]) { summary[$0] }
    try EvaluationFixtures.comparePerCategory(expected["per_category"], summary)
  }

  @Test func openVocabularyNumbersAgree() throws {
    let expected = try JSONValue(contentsOf: EvaluationFixtures.path("ovcoco_expected"))
    let base = try #require(expected["base_category_ids"]?.array).compactMap(\.integer)
    let novel = try #require(expected["novel_category_ids"]?.array).compactMap(\.integer)
    let truth = try GroundTruth(contentsOf: EvaluationFixtures.path("ovcoco_gt"))
    let found = try DetectionResults(contentsOf: EvaluationFixtures.path("ovcoco_detections"))
    let names = { (ids: [Int]) in
      ids.compactMap { id in truth.categories.first { $0.id == id }?.name }
    }
    let splits: [ClassSplit] = [
      .categories(base: base, novel: novel), .names(base: names(base), novel: names(novel)),
    ]
    for split in splits {
      let summary = try evaluate(truth, found, split: split)
      for group in ["base", "novel", "all"] {
        let result = try #require(summary.group(group))
        try EvaluationFixtures.compare(expected[group]) { result[$0] }
      }
      try EvaluationFixtures.comparePerCategory(expected["per_category"], summary)
    }
  }

  @Test func oneFilePerGroupGivesTheSame() throws {
    let expected = try JSONValue(contentsOf: EvaluationFixtures.path("ovcoco_expected"))
    let document = try JSONValue(contentsOf: EvaluationFixtures.path("ovcoco_gt"))
    let folder = try TemporaryFolder()
    func part(_ group: String) throws -> String {
      let ids = try #require(expected["\(group)_category_ids"]?.array).compactMap(\.integer)
      var members = try #require(document.object)
      let annotations = try #require(document["annotations"]?.array)
      members["annotations"] = .array(
        annotations.filter { ids.contains($0["category_id"]?.integer ?? -1) })
      return try folder.file("\(group).json", JSONValue.object(members).text())
    }
    let summary = try evaluate(
      annotations: EvaluationFixtures.path("ovcoco_gt"),
      detections: EvaluationFixtures.path("ovcoco_detections"),
      split: .files(base: part("base"), novel: part("novel")), warn: { Issue.record("\($0)") })
    for group in ["base", "novel", "all"] {
      let result = try #require(summary.group(group))
      try EvaluationFixtures.compare(expected[group]) { result[$0] }
    }
  }

  @Test(arguments: ["lvis", "lvis_real"])
  func lvisNumbersAgree(stem: String) throws {
    let expected = try JSONValue(contentsOf: EvaluationFixtures.path("\(stem)_expected"))
    var settings = EvaluationSettings()
    settings.lvisDetectionsPerImage = try #require(expected["max_dets"]?.integer)
    let summary = try evaluate(
      annotations: EvaluationFixtures.path("\(stem)_gt"),
      detections: EvaluationFixtures.path("\(stem)_detections"), split: .frequency,
      settings: settings, warn: { Issue.record("\($0)") })
    #expect(summary.measures.count == 13)
    try EvaluationFixtures.compare(expected["stats"]) { summary[$0] }
    for (frequency, name) in [("rare", "APr"), ("common", "APc"), ("frequent", "APf")] {
      #expect(try #require(summary.group(frequency))["AP"] == summary[name])
    }
  }
}

/// Real COCO annotations.
@Suite(
  .enabled(
    if: EvaluationFixtures.exists(EvaluationFixtures.sample), "the COCO sample is missing"))
struct COCOSampleTests {
  @Test func numbersAgree() throws {
    let folder = EvaluationFixtures.sample
    let summary = try evaluate(
      annotations: "\(folder)/instances_val2014_gt.json",
      detections: "\(folder)/instances_val2014_fakebbox_results.json",
      warn: { Issue.record("\($0)") })
    let expected = try JSONValue(contentsOf: "\(folder)/expected_bbox.json")
    try EvaluationFixtures.compare(expected) { summary[$0] }
  }
}
