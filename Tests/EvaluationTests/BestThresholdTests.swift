import Formats
import Geometry
import TestSupport
import Testing

@testable import Evaluation

@Suite("Best thresholds") struct BestThresholdTests {
  private func box(_ place: Int, shift: Double = 0) -> FileBox {
    FileBox(x: 100 * Double(place) + shift, y: 0, width: 50, height: 50)
  }

  private func truth(_ objects: [(image: Int, category: Int, place: Int)]) throws -> GroundTruth {
    try GroundTruth(
      source: "truth.json", images: (1...3).map { .init(id: $0) },
      categories: [
        .init(id: 1, name: "cup"), .init(id: 2, name: "fork"), .init(id: 3, name: "mug"),
      ],
      annotations: objects.map {
        .init(imageID: $0.image, categoryID: $0.category, box: box($0.place))
      })
  }

  private func results(
    _ found: [(image: Int, category: Int, place: Int, score: Double)]
  ) throws -> DetectionResults {
    try DetectionResults(
      source: "found.json",
      boxes: found.map {
        DetectionResult(
          imageID: $0.image, categoryID: $0.category, box: box($0.place), score: $0.score)
      })
  }

  private let split = ClassSplit.names(base: ["cup", "fork"], novel: ["mug"])

  @Test func theScoreOfTheBestF1IsFound() throws {
    let truth = try truth([(1, 1, 0), (1, 2, 1), (2, 1, 0), (3, 3, 0)])
    let results = try results([
      (1, 1, 0, 0.9), (2, 1, 3, 0.8), (1, 2, 1, 0.7), (2, 2, 5, 0.4), (2, 1, 0, 0.3),
      (2, 3, 6, 0.2),
    ])
    let summary = try evaluate(truth, results, split: split)
    // Base: 1/1, 1/2, 2/3, 2/4, 3/5 right of 3 objects: F1 0.5, 0.4, 0.67, 0.57, 0.75.
    let base = try #require(summary.thresholds.first)
    #expect(base.group == "base" && base.score == 0.3 && base.objects == 3)
    #expect(base.precision == 0.6 && base.recall == 1 && abs(base.f1 - 0.75) < 1e-12)
    // Nothing novel is right.
    #expect(summary.thresholds.count == 1)
    #expect(summary.json["thresholds"]?["base"]?["score"] == 0.3)
    #expect(summary.json["thresholds"]?["novel"] == nil)
  }

  @Test func oneDetectionAPlaceCounts() throws {
    let truth = try truth([(1, 1, 0), (3, 3, 0)])
    // The fork on the cup is less sure than the cup; the cup on the mug is surer than the mug.
    let results = try results([
      (1, 1, 0, 0.9), (1, 2, 0, 0.8), (3, 3, 0, 0.5), (3, 1, 0, 0.6), (3, 3, 1, 0.1),
    ])
    let summary = try evaluate(truth, results, split: split)
    #expect(summary.thresholds.map(\.group) == ["base"])
    let base = summary.thresholds[0]
    #expect(base.score == 0.9 && base.precision == 1 && base.recall == 1)
    // Average precision is not of one detection a place.
    #expect(isNear(summary.group("novel")?["AP50"], 1))
  }

  @Test func withoutASplitAllClassesShareOne() throws {
    let truth = try truth([(1, 1, 0), (3, 3, 0)])
    let results = try results([(1, 1, 0, 0.9), (3, 3, 0, 0.25)])
    let best = try #require(try evaluate(truth, results).thresholds.first)
    #expect(best.group == "all" && best.score == 0.25 && best.f1 == 1 && best.objects == 2)
    #expect(try evaluate(truth, results, split: .voc).thresholds == [best])
    let nothing = try evaluate(truth, try self.results([]))
    #expect(nothing.thresholds.isEmpty && nothing.json["thresholds"] == nil)
  }

  /// Every threshold tried by counting, on drawn detections with equal scores among them.
  @Test func noThresholdIsBetter() throws {
    var random = CounterRandom(seed: 4, CounterRandom.key("thresholds"))
    for _ in 0..<20 {
      let found = (0..<30).map { _ in
        (score: Double(random.integer(below: 12)) / 12, isRight: random.integer(below: 3) == 0)
      }
      let curve = ThresholdCurve(found, objects: 15)
      func f1(_ threshold: Double) -> Double {
        let shown = found.filter { $0.score >= threshold }
        return 2 * Double(shown.count(where: \.isRight)) / Double(shown.count + 15)
      }
      let best = try #require(curve.best)
      #expect(abs(f1(best.score) - best.f1) < 1e-12)
      for point in curve.points { #expect(f1(point.score) <= best.f1 + 1e-12) }
    }
  }
}
