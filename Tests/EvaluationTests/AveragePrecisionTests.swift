import Testing

@testable import Evaluation

/// The rules of the metric one by one, on sets small enough to work out by hand.
@Suite struct AveragePrecisionTests {
  private let square = BoxXYWH(x: 0, y: 0, width: 50, height: 50)
  private let far = BoxXYWH(x: 200, y: 200, width: 50, height: 50)

  /// Found, false alarm, found: precision 1 up to half recall, 2/3 beyond (spec 5.4).
  private let twoOfThree: Double = (51.0 + 50.0 * 2.0 / 3.0) / 101.0

  private func truth(
    _ annotations: [GroundTruth.Annotation], images: [GroundTruth.Image] = [.init(id: 1)],
    categories: [GroundTruth.Category] = [.init(id: 1, name: "cup")]
  ) throws -> GroundTruth {
    try GroundTruth(
      source: "truth", images: images, categories: categories, annotations: annotations)
  }

  private func found(_ boxes: [(BoxXYWH, Double)], category: Int = 1) throws -> DetectionResults {
    try DetectionResults(
      source: "found",
      boxes: boxes.map { ScoredBox(imageID: 1, categoryID: category, box: $0.0, score: $0.1) })
  }

  @Test func interpolatesAtTheRecallPoints() throws {
    let second = BoxXYWH(x: 100, y: 0, width: 50, height: 50)
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
    let region = BoxXYWH(x: 190, y: 190, width: 300, height: 300)
    let annotations: [GroundTruth.Annotation] = [
      .init(imageID: 1, categoryID: 1, box: region, isCrowd: true),
      .init(imageID: 1, categoryID: 1, box: square),
    ]
    let inside = BoxXYWH(x: 300, y: 300, width: 40, height: 40)
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
      ScoredBox(imageID: $0 == 4 ? 2 : 1, categoryID: $0, box: square, score: $1)
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
      ScoredBox(imageID: 1, categoryID: 1, box: far, score: 0.9),
      ScoredBox(imageID: 1, categoryID: 1, box: square, score: 0.8),
      ScoredBox(imageID: 1, categoryID: 2, box: far, score: 0.9),
      ScoredBox(imageID: 2, categoryID: 2, box: square, score: 0.8),
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
        ScoredBox(imageID: 3, categoryID: 1, box: square, score: 0.9),
        ScoredBox(imageID: 1, categoryID: 1, box: square, score: 0.5),
      ])
    var settings = EvaluationSettings()
    let split = ClassSplit.names(base: ["c1"], novel: ["c2"])
    let all = try evaluate(objects, boxes, split: split, settings: settings)
    #expect(isNear(all.group("base")?["AP50"], 0.5))
    #expect(isNear(all.group("all")?["AP50"], 0.25))
    settings.onlyImagesOfSplit = true
    let some = try evaluate(objects, boxes, split: split, settings: settings)
    #expect(isNear(some.group("base")?["AP50"], 1))
    #expect(some.images == 2)
  }
}
