import Formats
import Testing

@Suite struct ScoreTextTests {
  @Test(arguments: [
    (0.981, "0.981"), (0.999, "0.999"), (0.99987, "0.9999"), (0.999_996, "0.999996"), (1, "1.000"),
    (0.999_999_9, "1.000000"), (0.5, "0.500"), (0.001, "0.001"), (0.000_12, "0.00012"),
    (0, "0.000"), (-3, "0.000"), (7, "1.000"), (.nan, "0.000"),
  ])
  func scoresThatDifferLookDifferent(score: Double, text: String) {
    #expect(ScoreText.of(score) == text)
  }
}
