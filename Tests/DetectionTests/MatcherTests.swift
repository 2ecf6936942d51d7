import Detection
import TestSupport
import Testing

extension Matcher {
  /// The matcher that a fixture's parameters describe.
  init(_ fixture: Fixture, under key: String? = nil) throws {
    let parameters = key.flatMap { fixture.params[$0] } ?? fixture.params
    func number(_ key: String) throws -> Float {
      Float(try #require(parameters[key]?.number))
    }
    let hasLowQuality = parameters["match_low_quality"]?.bool ?? false
    self.init(
      positiveThreshold: try number("pos_iou_thr"), negativeThreshold: try number("neg_iou_thr"),
      lowQualityThreshold: hasLowQuality ? try number("min_pos_iou") : nil)
  }
}

@Suite("Matcher")
struct MatcherTests {
  private let square = Box(x1: 0, y1: 0, x2: 10, y2: 10)

  @Test("thresholds, with what lies between ignored")
  func thresholds() {
    let boxes = [
      Box(x1: 0, y1: 0, x2: 10, y2: 7), Box(x1: 0, y1: 0, x2: 10, y2: 5),
      Box(x1: 0, y1: 0, x2: 10, y2: 2),
    ]
    let matcher = Matcher(positiveThreshold: 0.7, negativeThreshold: 0.3)
    let matches = matcher.matches(boxes: boxes, truths: [square])
    #expect(matches.truths == [0, Matcher.ignored, Matcher.background])
    #expect(matches.overlaps == [0.7, 0.5, 0.2])
  }

  @Test("a ground truth takes all boxes tied at its best IoU; later ones win")
  func ties() {
    let half = Box(x1: 0, y1: 0, x2: 10, y2: 5)
    let matches = Matcher.anchors.matches(boxes: [half, half], truths: [square, square])
    #expect(matches.truths == [1, 1])
    let weak = Box(x1: 0, y1: 0, x2: 10, y2: 2)
    #expect(
      Matcher.anchors.matches(boxes: [weak], truths: [square]).truths == [Matcher.background])
  }

  @Test("boxes that are not valid take no part")
  func validity() {
    let half = Box(x1: 0, y1: 0, x2: 10, y2: 5)
    let matches = Matcher.anchors.matches(
      boxes: [square, half], truths: [square], isValid: [false, true])
    #expect(matches.truths == [Matcher.ignored, 0])
  }

  @Test("no ground truth, no boxes")
  func empty() {
    #expect(Matcher.anchors.matches(boxes: [square], truths: []).truths == [Matcher.background])
    #expect(Matcher.anchors.matches(boxes: [], truths: [square]).truths.isEmpty)
  }
}

@Suite("Matcher against peers", .enabled(if: Fixture.available, "no peer fixtures"))
struct MatcherFixtureTests {
  @Test("assignments and labels")
  func assignments() throws {
    let files = Fixture.files("rpn", prefix: "assign_")
    try #require(!files.isEmpty)
    for file in files {
      let fixture = try Fixture(file)
      let matches = try Matcher(fixture).matches(
        boxes: [Box](corners: fixture.floats("boxes")),
        truths: [Box](corners: fixture.floats("gt_boxes")))
      let wanted = try fixture.integers("assigned").map {
        $0 > 0 ? $0 - 1 : $0 == 0 ? Matcher.background : Matcher.ignored
      }
      #expect(matches.truths == wanted, "\(file)")
      expectClose(
        matches.overlaps, try fixture.floats("max_overlap"), relative: fixture.relative,
        absolute: fixture.absolute, "\(file)")
      let classes = try fixture.integers("gt_labels")
      let labels = matches.truths.map { $0 >= 0 ? classes[Int($0)] : -1 }
      #expect(try labels == fixture.integers("labels"), "\(file)")
    }
  }
}
