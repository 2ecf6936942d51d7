import Geometry
import Testing

@Suite struct SuppressionTests {
  private func box(_ x: Float, _ score: Float) -> ScoredBox {
    ScoredBox(Box(x1: x, y1: 0, x2: x + 10, y2: 10), score: score)
  }

  @Test func theSurestOfEachPlaceStays() {
    // The third lies on the first and the second, which lie apart.
    let boxes = [box(0, 0.5), box(5, 0.6), box(2.5, 0.9), box(40, 0.1)]
    #expect(Suppression.survivors(of: boxes) == [2, 3])
    #expect(Suppression.survivors(of: boxes, limit: 1) == [2])
    #expect(Suppression.survivors(of: [box(0, 0.5), box(5, 0.6), box(40, 0.1)]) == [1, 0, 2])
    #expect(Suppression.survivors(of: []).isEmpty)
  }

  @Test func ofEqualOnesTheFirstStays() {
    #expect(Suppression.survivors(of: [box(0, 0.5), box(0, 0.5)]) == [0])
  }
}
