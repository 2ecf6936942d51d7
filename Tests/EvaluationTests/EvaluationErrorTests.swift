import Geometry
import TestSupport
import Testing

@testable import Evaluation

/// What a user reads when a file cannot be scored.
@Suite struct EvaluationErrorTests {
  private static let box = "\"bbox\": [1, 2, 3, 4]"
  private static let good = """
    {"images": [{"id": 1}, {"id": 2}], "categories": [{"id": 1, "name": "cup"}],
     "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4],
       "area": 12}]}
    """

  private func message(_ body: () throws -> Void) throws -> String {
    let error = #expect(throws: (any Error).self) { try body() }
    return "\(try #require(error))"
  }

  private func resultsMessage(_ text: String) throws -> String {
    let folder = try TemporaryFolder()
    let results = try folder.file("results.json", text)
    let truth = try folder.file("truth.json", Self.good)
    let text = try message {
      _ = try evaluate(annotations: truth, detections: results) { Issue.record("\($0)") }
    }
    #expect(!text.contains("\n"))
    return text.replacing(results, with: "results.json").replacing(truth, with: "truth.json")
  }

  /// The name of a benchmark is its own: scores of other classes go by the rules alone.
  @Test(arguments: [
    (["person"], ["cup"], "OV-COCO"), (["helmet"], ["vest"], "COCO, base and novel"),
    (["person", "helmet"], ["cup"], "COCO, base and novel"),
    (["cup"], ["person"], "COCO, base and novel"),
  ])
  func theProtocolIsNamed(base: [String], novel: [String], name: String) throws {
    let folder = try TemporaryFolder()
    let categories = (base + novel).enumerated().map { "{\"id\": \($0 + 1), \"name\": \"\($1)\"}" }
    let truth = try folder.file(
      "truth.json",
      """
      {"images": [{"id": 1}], "categories": [\(categories.joined(separator: ", "))],
       "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12}]}
      """)
    let results = try folder.file("results.json", "[]")
    let summary = try evaluate(
      try GroundTruth(contentsOf: truth), try DetectionResults(contentsOf: results),
      split: .names(base: base, novel: novel))
    #expect(summary.protocolName == name)
  }

  @Test func resultsMessages() throws {
    let cases: [(String, String)] = [
      (
        "{}",
        "results.json: line 1, column 1: expected an array, found object; results are a list of "
          + "detections, as 'baron detect' writes it to detections.json and a run to its folder "
          + "detections"
      ),
      (
        "[{\"image_id\": 1, \"category_id\": 1, \(Self.box), \"score\": NaN}]",
        "results.json: results[0], line 1, column 67: \"score\": NaN and Infinity are not JSON numbers"
      ),
      (
        "[{\"image_id\": 1, \"category_id\": 1, \(Self.box)}]",
        "results.json: results[0]: \"score\": is missing"
      ),
      (
        "[{\"image_id\": 1, \"category_id\": 1, \(Self.box), \"score\": null}]",
        "results.json: results[0]: \"score\": is missing"
      ),
      (
        "[{\"image_id\": 1, \"category_id\": 1, \"score\": 1, \"bbox\": null}]",
        "results.json: results[0]: \"bbox\": is missing; a detection has a box, a \"segmentation\" "
          + "or both"
      ),
      (
        "[{\"image_id\": 9, \"category_id\": 1, \(Self.box), \"score\": 1},"
          + " {\"image_id\": 8, \"category_id\": 1, \(Self.box), \"score\": 1}]",
        "results.json: 2 of \"results\" have in \"image_id\" an id that truth.json "
          + "does not list, first 9 in results[0]; use the files of the same data set"
      ),
      (
        "[{\"image_id\": 1, \"category_id\": 4, \(Self.box), \"score\": 1}]",
        "results.json: 1 of \"results\" has in \"category_id\" an id that truth.json "
          + "does not list, first 4 in results[0]; use the files of the same data set"
      ),
      (
        "[{\"image_id\": 9223372036854775808}]",
        "results.json: results[0], line 1, column 34: \"image_id\": the number 9223372036854775808 is "
          + "too large; the largest is 9223372036854775807"
      ),
      (
        "[{\"image_id\": \"x1\"}]",
        "results.json: results[0], line 1, column 19: \"image_id\": \"x1\" is no whole number; "
          + "number the records from 1 and write numbers without quotes"
      ),
    ]
    for (text, expected) in cases {
      let found = try resultsMessage(text)
      #expect(found == expected)
    }
  }

  @Test func unknownVerifiedClassesAreLeftOut() throws {
    let truth = try GroundTruth(
      source: "truth.json",
      images: [.init(id: 7, absentCategories: [1, 9]), .init(id: 8, partialCategories: [9])],
      categories: [.init(id: 1, name: "cup", frequency: .rare)], annotations: [])
    #expect(truth.images.map(\.absentCategories) == [[1], []])
    #expect(truth.images.map(\.partialCategories) == [[], []])
    #expect(truth.warnings.count == 1 && truth.warnings[0].hasPrefix("2 ids in "))
    let none = try DetectionResults(source: "results.json", boxes: [])
    #expect(try evaluate(truth, none, split: .frequency)["AP"] == nil)
  }

  @Test func aMissingFileIsNamed() throws {
    let text = try message { _ = try DetectionResults(contentsOf: "nowhere.json") }
    #expect(text == "nowhere.json: no such file")
  }

  @Test func splitMessages() throws {
    let truth = try GroundTruth(
      source: "truth.json", images: [.init(id: 1)],
      categories: [.init(id: 1, name: "cup"), .init(id: 2, name: "fork")], annotations: [])
    let none = try DetectionResults(source: "results.json", boxes: [])
    func splitMessage(_ split: ClassSplit) throws -> String {
      try message { _ = try evaluate(truth, none, split: split) }
    }
    #expect(
      try splitMessage(.names(base: ["cup"], novel: ["spoon", "knife"]))
        == "truth.json: 2 of the novel classes are not among its categories, first spoon; "
        + "check the spelling, or score with another split or none")
    #expect(
      try splitMessage(.names(base: ["cup"], novel: ["cup"]))
        == "the class cup is both base and novel; remove it from one of the two")
    #expect(
      try splitMessage(.categories(base: [1, 1], novel: [2]))
        == "truth.json: 1 stands twice in \"base classes\"; make it unique")
    #expect(
      try splitMessage(.names(base: [], novel: []))
        == "truth.json: the list \"base classes\" is empty; "
        + "there is nothing to score, check the path")
    #expect(
      try splitMessage(.frequency)
        == "truth.json: category 1 (cup) has no \"frequency\"; "
        + "the LVIS protocol needs r, c or f for every category")
  }

  @Test func unknownCategoriesCanBeDropped() throws {
    let truth = try GroundTruth(
      source: "truth.json", images: [.init(id: 1)], categories: [.init(id: 1, name: "cup")],
      annotations: [])
    let stray = DetectionResult(
      imageID: 1, categoryID: 9, box: FileBox(x: 0, y: 0, width: 1, height: 1), score: 1)
    let results = try DetectionResults(source: "results.json", boxes: [stray])
    var settings = EvaluationSettings()
    settings.dropsUnknownCategories = true
    #expect(try evaluate(truth, results, settings: settings)["AP"] == nil)
  }
}
