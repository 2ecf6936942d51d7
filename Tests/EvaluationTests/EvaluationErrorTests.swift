import Testing

@testable import Evaluation

/// What a user reads when a file cannot be scored.
@Suite struct EvaluationErrorTests {
  private static let box = "\"bbox\": [1, 2, 3, 4]"
  private static let good = """
    {"images": [{"id": 1}, {"id": 2}], "categories": [{"id": 1, "name": "cup"}],
     "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}]}
    """

  private func message(_ body: () throws -> Void) throws -> String {
    let error = #expect(throws: EvaluationError.self) { try body() }
    return try #require(error).description
  }

  private func truthMessage(_ text: String) throws -> String {
    let folder = try TemporaryFolder()
    let path = try folder.write("truth.json", text)
    let text = try message { _ = try GroundTruth(contentsOf: path) }
    #expect(!text.contains("\n"))
    return text.replacing(path, with: "truth.json")
  }

  private func resultsMessage(_ text: String) throws -> String {
    let folder = try TemporaryFolder()
    let results = try folder.write("results.json", text)
    let truth = try folder.write("truth.json", Self.good)
    let text = try message { _ = try evaluate(annotations: truth, detections: results) }
    #expect(!text.contains("\n"))
    return text.replacing(results, with: "results.json").replacing(truth, with: "truth.json")
  }

  @Test func groundTruthMessages() throws {
    let layout = "a ground truth file is a JSON object in COCO layout, check path and copy"
    let cases: [(String, String)] = [
      ("", "truth.json: line 1, column 1: the text ends where an object should stand; \(layout)"),
      ("[1]", "truth.json: line 1, column 1: expected an object, found '['; \(layout)"),
      (
        "{\"images\": [{\"id\": 1}",
        "truth.json: line 1, column 22: the text ends inside an object or array; \(layout)"
      ),
      (
        "{\"images\": [{\"id\": \"a\"}]}",
        "truth.json: images[0].id (line 1, column 20): expected a number, found string; "
          + "ids are whole numbers"
      ),
      (
        "{\"images\": [{\"id\": 1}, {}]}",
        "truth.json: images[1] has no \"id\"; every image needs its id"
      ),
      (
        "{\"images\": [{\"id\": 1}], \"annotations\": []}",
        "truth.json: the list \"categories\" is missing; "
          + "a ground truth file needs \"images\", \"categories\" and \"annotations\""
      ),
      (
        "{\"images\": [], \"categories\": [], \"annotations\": []}",
        "truth.json: the list \"images\" is empty; there is nothing to score, check the path"
      ),
      (
        "{\"images\": [{\"id\": 7}, {\"id\": 7}], \"categories\": [], \"annotations\": []}",
        "truth.json: id 7 stands twice in \"images\"; make it unique"
      ),
    ]
    for (text, expected) in cases {
      let found = try truthMessage(text)
      #expect(found == expected)
    }
  }

  @Test func annotationMessages() throws {
    func annotated(_ records: String) throws -> String {
      try truthMessage(
        """
        {"images": [{"id": 1}], "categories": [{"id": 1, "name": "cup"}],
        "annotations": [\(records)]}
        """)
    }
    #expect(
      try annotated("{\"image_id\": 1, \"category_id\": 1}")
        == "truth.json: annotations[0] has no \"bbox\"; every annotation needs its box")
    #expect(
      try annotated("{\"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 2, -3, 4]}")
        == "truth.json: annotations[0].bbox (line 2, column 72): the size is -3.0 x 4.0; "
        + "a box is [x, y, width, height] in pixels, sizes not negative")
    #expect(
      try annotated("{\"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 2, 3]}")
        == "truth.json: annotations[0].bbox (line 2, column 68): found 3 numbers; "
        + "a box is [x, y, width, height] in pixels, sizes not negative")
    #expect(
      try annotated("{\"iscrowd\": 2}")
        == "truth.json: annotations[0].iscrowd (line 2, column 30): found 2; it must be 0 or 1")
    #expect(
      try annotated("{\"image_id\": 5, \"category_id\": 1, \(Self.box)}")
        == "truth.json: 1 of \"annotations\" have in \"image_id\" an id that \"images\" "
        + "does not list, first 5 in annotations[0]; use the files of the same data set")
    let record = "{\"id\": 3, \"image_id\": 1, \"category_id\": 1, \(Self.box)}"
    #expect(
      try annotated("\(record), \(record)")
        == "truth.json: id 3 stands twice in \"annotations\"; make it unique")
  }

  @Test func resultsMessages() throws {
    let cases: [(String, String)] = [
      (
        "{}",
        "results.json: line 1, column 1: expected an array, found '{'; "
          + "a results file is a JSON array of detections, check path and copy"
      ),
      (
        "[{\"image_id\": 1, \"category_id\": 1, \(Self.box), \"score\": NaN}]",
        "results.json: results[0].score (line 1, column 67): NaN and Infinity are not JSON "
          + "numbers; it must be a finite number"
      ),
      (
        "[{\"image_id\": 1, \"category_id\": 1, \(Self.box)}]",
        "results.json: results[0] has no \"score\"; detections are ranked by it"
      ),
      (
        "[{\"image_id\": 9, \"category_id\": 1, \(Self.box), \"score\": 1},"
          + " {\"image_id\": 8, \"category_id\": 1, \(Self.box), \"score\": 1}]",
        "results.json: 2 of \"results\" have in \"image_id\" an id that truth.json "
          + "does not list, first 9 in results[0]; use the files of the same data set"
      ),
      (
        "[{\"image_id\": 1, \"category_id\": 4, \(Self.box), \"score\": 1}]",
        "results.json: 1 of \"results\" have in \"category_id\" an id that truth.json "
          + "does not list, first 4 in results[0]; use the files of the same data set"
      ),
    ]
    for (text, expected) in cases {
      let found = try resultsMessage(text)
      #expect(found == expected)
    }
  }

  @Test func lvisMessages() throws {
    let category = GroundTruth.Category(id: 1, name: "cup", frequency: .rare)
    let none = try DetectionResults(source: "results.json", boxes: [])
    for (image, field) in [
      (GroundTruth.Image(id: 7, absentCategories: [1, 9]), "neg_category_ids"),
      (GroundTruth.Image(id: 7, partialCategories: [9]), "not_exhaustive_category_ids"),
    ] {
      let truth = try GroundTruth(
        source: "truth.json", images: [image], categories: [category], annotations: [])
      #expect(
        try message { _ = try evaluate(truth, none, split: .frequency) }
          == "truth.json: 1 of \"images\" have in \"\(field)\" an id that \"categories\" "
          + "does not list, first 9 in image 7; use the files of the same data set")
    }
  }

  @Test func aMissingFileIsNamed() throws {
    let text = try message { _ = try DetectionResults(contentsOf: "nowhere.json") }
    #expect(
      text == "nowhere.json: no such file; "
        + "a results file is a JSON array of detections, check path and copy")
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
      try splitMessage(.names(base: [], novel: ["cup"]))
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
    let stray = ScoredBox(
      imageID: 1, categoryID: 9, box: BoxXYWH(x: 0, y: 0, width: 1, height: 1), score: 1)
    let results = try DetectionResults(source: "results.json", boxes: [stray])
    var settings = EvaluationSettings()
    settings.dropsUnknownCategories = true
    #expect(try evaluate(truth, results, settings: settings)["AP"] == nil)
  }
}
