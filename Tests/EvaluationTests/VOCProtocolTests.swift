import Geometry
import TestSupport
import Testing

@testable import Evaluation

/// The rules of the VOC devkit (spec evaluation 5.6), worked out by hand.
@Suite struct VOCProtocolTests {
  private func square(_ x: Double) -> FileBox { FileBox(x: x, y: 0, width: 10, height: 10) }

  private func evaluated(
    _ objects: [(FileBox, isDifficult: Bool)], _ found: [(FileBox, Double)],
    _ settings: (inout VOCSettings) -> Void = { _ in }
  ) throws -> EvaluationSummary {
    var choices = EvaluationSettings()
    settings(&choices.voc)
    return try evaluate(
      GroundTruth(
        source: "truth", images: [.init(id: 1)], categories: [.init(id: 1, name: "cat")],
        annotations: objects.map {
          .init(imageID: 1, categoryID: 1, box: $0.0, isIgnored: $0.isDifficult)
        }),
      DetectionResults(
        source: "found",
        boxes: found.map { DetectionResult(imageID: 1, categoryID: 1, box: $0.0, score: $0.1) }),
      split: .voc, settings: choices)
  }

  @Test func bothInterpolations() throws {
    // Right, wrong, right: precision 1 up to recall 0.5, 2/3 up to 1.
    let objects = [(square(0), isDifficult: false), (square(50), isDifficult: false)]
    let found = [(square(0), 0.9), (square(100), 0.8), (square(50), 0.7)]
    let eleven = try evaluated(objects, found)
    #expect(isNear(eleven["AP50"], (6 + 5 * 2.0 / 3) / 11))
    #expect(eleven.metricVersion == "VOC2007 devkit")
    let area = try evaluated(objects, found) { $0.interpolation = .area }
    #expect(isNear(area["AP50"], 0.5 + 0.5 * 2 / 3))
    #expect(area.metricVersion == "VOC2010 devkit")
    #expect(area.measures.map(\.name) == ["AP50", "AP75"])
    #expect(area.classes[0].averagePrecision == nil)
    #expect(area.classes[0].averagePrecision75 == area["AP75"])
  }

  @Test func difficultObjectsNeitherCountNorAlarm() throws {
    let objects = [(square(0), isDifficult: true), (square(50), isDifficult: false)]
    let summary = try evaluated(objects, [(square(0), 0.9), (square(0), 0.8), (square(50), 0.7)])
    #expect(isNear(summary["AP50"], 1))
    #expect(summary.classes[0].objects == 1)
  }

  @Test func onlyTheNearestObjectIsAsked() throws {
    // Both detections lie nearest to the first object: the second one is wrong, though it reaches the
    // other object's threshold as well.
    let objects = [(square(0), isDifficult: false), (square(4), isDifficult: false)]
    let summary = try evaluated(objects, [(square(0), 0.9), (square(1), 0.8)])
    #expect(isNear(summary["AP50"], 6.0 / 11))
  }

  @Test func theLastPixelCanBeCounted() throws {
    let objects = [(FileBox(x: 0, y: 0, width: 2, height: 2), isDifficult: false)]
    let found = [(FileBox(x: 0, y: 0, width: 2, height: 1), 0.9)]
    // Overlap 2/4 without and 6/9 with the last pixel.
    #expect(isNear(try evaluated(objects, found)["AP50"], 1))
    #expect(try evaluated(objects, found)["AP75"] == 0)
    let narrow = [(FileBox(x: 0, y: 0, width: 2, height: 0.9), 0.9)]
    #expect(try evaluated(objects, narrow)["AP50"] == 0)
    let counted = try evaluated(objects, narrow) { $0.countsLastPixel = true }
    #expect(isNear(counted["AP50"], 1))
  }

  @Test func noDetectionsAndNoObjects() throws {
    #expect(try evaluated([(square(0), isDifficult: false)], [])["AP50"] == 0)
    #expect(try evaluated([(square(0), isDifficult: true)], [(square(0), 1)])["AP50"] == nil)
  }
}
