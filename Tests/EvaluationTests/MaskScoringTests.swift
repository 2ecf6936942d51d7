import Geometry
import Masks
import TestSupport
import Testing

@testable import Evaluation

/// What is particular to masks, on sets small enough to work out by hand.
@Suite struct MaskScoringTests {
  private static let side = 100

  /// A mask of whole pixels, right and bottom not included.
  private func block(_ x: Range<Int>, _ y: Range<Int>) throws -> RunLengthMask {
    let pixels = (0..<Self.side * Self.side).map { place in
      UInt8(x.contains(place % Self.side) && y.contains(place / Self.side) ? 1 : 0)
    }
    return try RunLengthMask(width: Self.side, height: Self.side, bitmap: pixels)
  }

  private let whole = FileBox(x: 0, y: 0, width: 100, height: 100)

  private func truth(
    _ masks: [RunLengthMask], areas: [Double], crowds: Set<Int> = []
  ) throws -> GroundTruth {
    try GroundTruth(
      source: "truth", images: [.init(id: 1, width: Self.side, height: Self.side)],
      categories: [.init(id: 1, name: "cup")],
      annotations: areas.enumerated().map { index, area in
        .init(
          imageID: 1, categoryID: 1, box: whole, area: area, isCrowd: crowds.contains(index))
      }, masks: masks)
  }

  private func found(_ masks: [RunLengthMask]) throws -> DetectionResults {
    try DetectionResults(
      source: "found",
      boxes: masks.indices.map {
        DetectionResult(imageID: 1, categoryID: 1, box: whole, score: 1 - Double($0) / 10)
      }, masks: masks)
  }

  @Test func boxesAndMasksAreScoredApart() throws {
    let object = try block(0..<50, 0..<50)
    let other = try block(50..<100, 50..<100)
    let summary = try evaluate(truth([object], areas: [2500]), found([other]))
    #expect(isNear(summary.boxes?["AP"], 1))
    #expect(summary.masks?["AP"] == 0)
    #expect(summary["AP"] == summary.boxes?["AP"])
    #expect(summary.metric.hasPrefix("box and mask AP, IoU"))
    var settings = EvaluationSettings()
    settings.iouTypes = [.segm]
    let alone = try evaluate(truth([object], areas: [2500]), found([other]), settings: settings)
    #expect(alone.boxes == nil)
    #expect(alone.masks == summary.masks)
    #expect(alone["AP"] == 0)
  }

  @Test func theThresholdIncludesTheOverlap() throws {
    // 60 of 100 columns: overlap 0.6, found at 0.50, 0.55 and 0.60.
    let object = try block(0..<100, 0..<10)
    let summary = try evaluate(truth([object], areas: [1000]), found([block(0..<60, 0..<10)]))
    #expect(isNear(summary.masks?["AP"], 0.3))
  }

  @Test func crowdsAreComparedOverTheDetection() throws {
    let crowd = try block(0..<100, 0..<100)
    let object = try block(0..<10, 0..<10)
    let parts = try [block(50..<60, 0..<10), block(70..<99, 5..<80), object]
    let summary = try evaluate(
      truth([crowd, object], areas: [10000, 100], crowds: [0]), found(parts))
    #expect(isNear(summary.masks?["AP"], 1))
    #expect(summary.masks?.classes[0].objects == 1)
  }

  @Test func sizesAreThoseOfPixels() throws {
    // The object is small by its annotated area; the false alarm is small by pixels, not by its box.
    let object = try block(0..<30, 0..<30)
    let small = try block(60..<80, 60..<80)
    let truth = try truth([object], areas: [900])
    let summary = try evaluate(truth, found([small, object]))
    #expect(isNear(summary.masks?["APs"], 0.5))
    #expect(summary.masks?["APm"] == nil)
    let large = try block(40..<100, 40..<100)
    #expect(isNear(try evaluate(truth, found([large, object])).masks?["APs"], 1))
  }

  @Test func anEmptyMaskIsAFalseAlarm() throws {
    let object = try block(0..<50, 0..<50)
    let empty = try block(0..<0, 0..<0)
    let summary = try evaluate(truth([object], areas: [2500]), found([empty, object]))
    #expect(isNear(summary.masks?["AP50"], 0.5))
  }

  @Test func masksNeedBothFiles() throws {
    let object = try block(0..<50, 0..<50)
    let boxed = try DetectionResults(
      source: "found", boxes: [DetectionResult(imageID: 1, categoryID: 1, box: whole, score: 1)])
    #expect(try evaluate(truth([object], areas: [2500]), boxed).masks == nil)
    #expect(try evaluate(truth([], areas: [2500]), found([object])).masks == nil)
  }

  @Test func detectionsWithoutBoxesScoreByMasks() throws {
    let folder = try TemporaryFolder()
    let results = try folder.file(
      "results.json",
      """
      [{"image_id": 1, "category_id": 1, "score": 0.5,
        "segmentation": [[0, 0, 50, 0, 50, 50, 0, 50]]}]
      """)
    let truth = try truth([block(0..<50, 0..<50)], areas: [2500])
    let summary = try evaluate(truth, DetectionResults(contentsOf: results))
    #expect(summary.boxes == nil)
    #expect(isNear(summary.masks?["AP"], 1))
    #expect(summary.json["measures"] == nil)
    #expect(summary.json["masks"]?["measures"]?["AP"]?.number == summary["AP"])
  }
}
