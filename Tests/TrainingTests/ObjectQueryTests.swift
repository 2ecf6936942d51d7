import Annotations
import Geometry
import Testing

@testable import Detection
@testable import Training

@Suite("What a query shows")
struct ObjectQueryTests {
  private static let trained = ["dog", "Cat."]

  private func found(_ label: Int, _ score: Float, at x: Float) -> ObjectDetector.Found {
    .init(
      DetectedObject(box: Box(x1: x, y1: 0, x2: x + 10, y2: 10), label: label, score: score),
      width: 100, height: 100)
  }

  @Test func trainedClassesCompeteHidden() {
    let scores = ShownScores(all: 0.3)
    let asked = [ClassName("zebra"), ClassName("cat", synonyms: ["tomcat"])]
    let query = ObjectQuery(asked, own: ["a"], trained: Self.trained, scores: scores)
    #expect(query.names == ["zebra", "cat"] && query.labels == ["cat", "dog", "zebra"])
    #expect(query.rivals == ["dog"] && query.rivalLabels == [1])
    #expect(query.vocabulary.classes[0] == asked[1])
    let only = ObjectQuery(
      asked, own: ["a"], trained: Self.trained, onlyAsked: true, scores: scores)
    #expect(only.labels == ["cat", "zebra"] && only.rivals.isEmpty)
    // The model's own classes are all that there is, in their own order.
    let own = ObjectQuery(nil, own: ["zebra", "ant"], trained: Self.trained, scores: scores)
    #expect(own.vocabulary == .dataSet(["zebra", "ant"]) && own.rivals.isEmpty)
  }

  @Test func theSurestOfAPlaceIsShown() {
    var query = ObjectQuery(
      [ClassName("cat"), ClassName("zebra")], own: [], trained: Self.trained,
      scores: ShownScores(all: 0.2))
    // Labels: cat 0, dog 1, zebra 2.
    let objects = [
      found(0, 0.9, at: 0), found(2, 0.8, at: 1), found(1, 0.7, at: 30), found(2, 0.6, at: 31),
      found(2, 0.5, at: 60), found(1, 0.4, at: 61), found(0, 0.1, at: 80),
    ]
    func places() -> [Float] { query.places(objects) { $0 }.map(\.score) }
    #expect(places() == [0.9, 0.5, 0.1])
    #expect(query.shown(objects, limit: 9) { $0 }.map(\.score) == [0.9, 0.5])
    #expect(query.shown(objects, limit: 1) { $0 }.map(\.score) == [0.9])
    #expect(query.wanted(objects).map(\.score) == [0.9, 0.8, 0.6, 0.5, 0.1])
    query.keepsOverlapping = true
    #expect(places() == [0.9, 0.8, 0.5, 0.1])
  }

  @Test(arguments: [0, 0.3, 0.1, 1.0 / 3, 1])
  func nothingThatIsShownLiesBelowTheBound(least: Double) {
    let query = ObjectQuery(
      [ClassName("cat")], own: [], trained: Self.trained, scores: ShownScores(all: least))
    var score = Float(least)
    for step in -3...3 {
      let near = step < 0 ? score.nextDown : score.nextUp
      for value in [score, near] where (0...1).contains(value) && value > 0 {
        #expect(!query.isSure(found(0, value, at: 0)) || value > query.bound, "\(value)")
      }
      score = near
    }
    #expect(query.bound >= 0)
  }

  /// A score that was written with its own digits is not less than itself when it is read again.
  @Test func aThresholdThatWasAScoreShowsThatScore() {
    var score = Float(0.5)
    for _ in 0..<2000 {
      let written = Double("\(score)") ?? .nan
      let query = ObjectQuery(
        [ClassName("cat")], own: [], trained: Self.trained, scores: ShownScores(all: written))
      #expect(
        query.isSure(found(0, score, at: 0)) && !query.isSure(found(0, score.nextDown, at: 0)))
      #expect(query.bound < score)
      score = score.nextUp
    }
  }

  @Test func groupsHaveLeastScoresOfTheirOwn() {
    let query = ObjectQuery(
      [ClassName("CAT"), ClassName("zebra")], own: [], trained: Self.trained,
      scores: ShownScores(base: 0.25, novel: 0.75))
    #expect(query.leastScore(of: "CAT") == 0.25 && query.leastScore(of: "zebra") == 0.75)
    #expect(query.bound < 0.25 && query.bound > 0.2499)
    #expect(query.isSure(found(0, 0.25, at: 0)) && !query.isSure(found(2, 0.5, at: 0)))
  }
}
