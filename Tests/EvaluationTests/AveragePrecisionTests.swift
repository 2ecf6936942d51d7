import Geometry
import TestSupport
import Testing

@testable import Evaluation

/// The rules of the metric one by one, on sets small enough to work out by hand.
@Suite struct AveragePrecisionTests {
  private let square = FileBox(x: 0, y: 0, width: 50, height: 50)
  private let far = FileBox(x: 200, y: 200, width: 50, height: 50)

  /// Found, false alarm, found: precision 1 up to half recall, 2/3 beyond (spec evaluation 5.4).
  private let twoOfThree: Double = (51.0 + 50.0 * 2.0 / 3.0) / 101.0

  private func truth(
    _ annotations: [GroundTruth.Annotation], images: [GroundTruth.Image] = [.init(id: 1)],
    categories: [GroundTruth.Category] = [.init(id: 1, name: "cup")]
  ) throws -> GroundTruth {
    try GroundTruth(
      source: "truth", images: images, categories: categories, annotations: annotations)
  }

  private func found(_ boxes: [(FileBox, Double)], category: Int = 1) throws -> DetectionResults {
    try DetectionResults(
      source: "found",
      boxes: boxes.map { DetectionResult(imageID: 1, categoryID: category, box: $0.0, score: $0.1) }
    )
  }

  @Test func interpolatesAtTheRecallPoints() throws {
    let second = FileBox(x: 100, y: 0, width: 50, height: 50)
    let summary = try evaluate(
      truth([
        .init(imageID: 1, categoryID: 1, box: square),
        .init(imageID: 1, categoryID: 1, box: second),
      ]), found([(square, 0.9), (far, 0.8), (second, 0.7)]))
    #expect(isNear(summary["AP50"], twoOfThree))
  }

  @Test func thresholdsHaveTheReferenceRounding() {
    let thresholds = AveragePrecisionOptions().thresholds
    #expect(thresholds.count == 10)
    #expect(thresholds[0] == 0.5 && thresholds[9] == 0.95)
    let step = (0.95 - 0.5) / 9
    #expect(thresholds[3] == 3 * step + 0.5)
  }

  @Test func aClassWithoutObjectsHasNoValue() throws {
    let categories = [
      GroundTruth.Category(id: 1, name: "cup"), GroundTruth.Category(id: 2, name: "fork"),
    ]
    let summary = try evaluate(
      truth([.init(imageID: 1, categoryID: 1, box: square)], categories: categories),
      found([(square, 0.5)]))
    #expect(isNear(summary.classes[0].averagePrecision, 1))
    #expect(summary.classes[1].averagePrecision == nil)
    #expect(isNear(summary["AP"], 1))
    #expect(summary["APl"] == nil)
    #expect(summary.classesWithObjects == 1)
  }

  @Test func noDetectionsScoreZeroAndNoObjectsNothing() throws {
    let empty = try DetectionResults(source: "found", boxes: [])
    let summary = try evaluate(truth([.init(imageID: 1, categoryID: 1, box: square)]), empty)
    #expect(summary["AP"] == 0)
    #expect(summary["AR100"] == 0)
    #expect(summary.lowestScore == nil)
    #expect(try evaluate(truth([]), empty)["AP"] == nil)
  }

  @Test func anObjectWithId0IsMatchedLikeAnyOther() throws {
    let summary = try evaluate(
      truth([.init(id: 0, imageID: 1, categoryID: 1, box: square)]), found([(square, 0.5)]))
    #expect(isNear(summary["AP"], 1))
  }

  @Test func crowdsAbsorbDetectionsWithoutCounting() throws {
    let region = FileBox(x: 190, y: 190, width: 300, height: 300)
    let annotations: [GroundTruth.Annotation] = [
      .init(imageID: 1, categoryID: 1, box: region, isCrowd: true),
      .init(imageID: 1, categoryID: 1, box: square),
    ]
    let inside = FileBox(x: 300, y: 300, width: 40, height: 40)
    let summary = try evaluate(
      truth(annotations), found([(far, 0.9), (inside, 0.8), (square, 0.1)]))
    #expect(isNear(summary["AP"], 1))
    #expect(summary.classes[0].objects == 1)
  }

  @Test func aSecondMatchIsAFalseAlarm() throws {
    let annotation = GroundTruth.Annotation(imageID: 1, categoryID: 1, box: square)
    let other = GroundTruth.Annotation(imageID: 1, categoryID: 1, box: far)
    let summary = try evaluate(
      truth([annotation, other]), found([(square, 0.9), (square, 0.8), (far, 0.7)]))
    #expect(isNear(summary["AP50"], twoOfThree))
  }

  @Test func theCutIsPerClassAndImage() throws {
    var settings = EvaluationSettings()
    settings.cuts = [1, 2]
    let summary = try evaluate(
      truth([.init(imageID: 1, categoryID: 1, box: square)]),
      found([(far, 0.9), (far, 0.8), (square, 0.7)]), settings: settings)
    #expect(summary["AP50"] == 0)
    settings.cuts = [100, 300, 1000]
    let uncut = try evaluate(
      truth([.init(imageID: 1, categoryID: 1, box: square)]),
      found([(far, 0.9), (far, 0.8), (square, 0.7)]), settings: settings)
    #expect(isNear(uncut["AP50"], 1.0 / 3))
    #expect(uncut["AR1000"] == 1)
  }

  @Test func ofEqualScoresTheFirstInTheFileComesFirst() throws {
    let objects = try truth([.init(imageID: 1, categoryID: 1, box: square)])
    #expect(isNear(try evaluate(objects, found([(square, 0.5), (far, 0.5)]))["AP50"], 1))
    #expect(isNear(try evaluate(objects, found([(far, 0.5), (square, 0.5)]))["AP50"], 0.5))
  }

  @Test func theLVISCutIsOverAllClassesOfAnImage() {
    let boxes = [0.1, 0.9, 0.5, 0.5, 0.2].enumerated().map {
      DetectionResult(imageID: $0 == 4 ? 2 : 1, categoryID: $0, box: square, score: $1)
    }
    #expect(LVISProtocol.best(of: boxes, perImage: 2).sorted() == [1, 2, 4])
  }

  @Test func lvisLeavesOutUnverifiedClassesAndExcusesPartialOnes() throws {
    let categories: [GroundTruth.Category] = [
      .init(id: 1, name: "cup", frequency: .frequent), .init(id: 2, name: "fork", frequency: .rare),
    ]
    let images: [GroundTruth.Image] = [
      .init(id: 1, absentCategories: [], partialCategories: [1]), .init(id: 2),
    ]
    let annotations: [GroundTruth.Annotation] = [
      .init(imageID: 1, categoryID: 1, box: square), .init(imageID: 2, categoryID: 2, box: square),
    ]
    let objects = try truth(annotations, images: images, categories: categories)
    let boxes = [
      DetectionResult(imageID: 1, categoryID: 1, box: far, score: 0.9),
      DetectionResult(imageID: 1, categoryID: 1, box: square, score: 0.8),
      DetectionResult(imageID: 1, categoryID: 2, box: far, score: 0.9),
      DetectionResult(imageID: 2, categoryID: 2, box: square, score: 0.8),
    ]
    let summary = try evaluate(
      objects, DetectionResults(source: "found", boxes: boxes), split: .frequency)
    #expect(isNear(summary["APf"], 1))
    #expect(isNear(summary["APr"], 1))
    #expect(summary["APc"] == nil)
  }

  @Test func onlyImagesOfTheSplitCanBeScored() throws {
    let categories = (1...3).map { GroundTruth.Category(id: $0, name: "c\($0)") }
    let objects = try truth(
      [
        .init(imageID: 1, categoryID: 1, box: square),
        .init(imageID: 2, categoryID: 2, box: square),
        .init(imageID: 3, categoryID: 3, box: square),
      ], images: (1...3).map { .init(id: $0) }, categories: categories)
    let boxes = try DetectionResults(
      source: "found",
      boxes: [
        DetectionResult(imageID: 3, categoryID: 1, box: square, score: 0.9),
        DetectionResult(imageID: 1, categoryID: 1, box: square, score: 0.5),
      ])
    var settings = EvaluationSettings()
    let split = ClassSplit.names(base: ["c1"], novel: ["c2"])
    let all = try evaluate(objects, boxes, split: split, settings: settings)
    #expect(isNear(all.group("base")?["AP50"], 0.5))
    #expect(isNear(all.group("all")?["AP50"], 0.25))
    #expect(all.vocabulary == 3 && all.imagesInFile == 3)
    settings.onlyImagesOfSplit = true
    let some = try evaluate(objects, boxes, split: split, settings: settings)
    #expect(isNear(some.group("base")?["AP50"], 1))
    #expect(some.images == 2 && some.imagesInFile == 3)
    #expect(some.detections == 2 && some.detectionsCounted == 1)
  }

  @Test func aSplitMayHaveNoNovelClass() throws {
    let objects = try truth([.init(imageID: 1, categoryID: 1, box: square)])
    let summary = try evaluate(
      objects, found([(square, 0.5)]), split: .names(base: ["cup"], novel: []))
    #expect(isNear(summary.group("base")?["AP"], 1) && isNear(summary.group("all")?["AP"], 1))
    #expect(summary.group("novel")?.classes == 0 && summary.group("novel")?["AP"] == nil)
  }

  @Test func onlyClassesOfTheSplitCanBeScored() throws {
    let categories = (1...3).map { GroundTruth.Category(id: $0, name: "c\($0)") }
    let objects = try truth(
      (1...3).map { .init(imageID: 1, categoryID: $0, box: square) }, categories: categories)
    let boxes = try DetectionResults(
      source: "found",
      boxes: [1, 3].map { DetectionResult(imageID: 1, categoryID: $0, box: square, score: 0.9) })
    let split = ClassSplit.names(base: ["c1"], novel: ["c2"])
    let whole = try evaluate(objects, boxes, split: split)
    #expect(isNear(whole["AP50"], 2.0 / 3))
    var settings = EvaluationSettings()
    settings.onlyClassesOfSplit = true
    let part = try evaluate(objects, boxes, split: split, settings: settings)
    #expect(isNear(part["AP50"], 0.5))
    #expect(part.groups == whole.groups)
    #expect(part.vocabulary == 2 && part.categoriesInFile == 3 && part.classesWithObjects == 2)
    #expect(part.classes.map(\.id) == [1, 2])
    #expect(part.detections == 2 && part.detectionsCounted == 1)
  }

  /// Objects365 has names with slashes and capitals, fields of its own and no masks.
  @Test func objects365IsScoredLikeCOCO() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file(
      "zhiyuan_objv2_val.json",
      """
      {"images": [{"id": 900001, "width": 640, "height": 480, "license": 5, "file_name":
        "images/v1/patch0/objects365_v1_00900001.jpg", "url": ""}],
       "annotations": [
        {"id": 51, "iscrowd": 0, "isfake": 0, "isreflected": 0, "category_id": 6, "image_id": 900001,
         "bbox": [10, 10, 50.5, 60.25], "area": 3042.6},
        {"id": 52, "iscrowd": 1, "isfake": 0, "isreflected": 0, "category_id": 2, "image_id": 900001,
         "bbox": [300, 100, 50, 60], "area": 3000}],
       "categories": [{"id": 2, "name": "Sneakers"}, {"id": 6, "name": "Cabinet/shelf"}],
       "licenses": []}
      """)
    let results = try DetectionResults(
      source: "found",
      boxes: [
        DetectionResult(
          imageID: 900_001, categoryID: 6,
          box: FileBox(x: 10, y: 10, width: 50.5, height: 60.25), score: 0.5)
      ])
    let summary = try evaluate(GroundTruth(contentsOf: path), results)
    #expect(isNear(summary["AP"], 1))
    #expect(summary.classes.map(\.name) == ["Sneakers", "Cabinet/shelf"])
    #expect(summary.classesWithObjects == 1)
  }
}
