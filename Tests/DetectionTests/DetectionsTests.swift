import Detection
import Geometry
import Tensors
import TestSupport
import Testing

@Suite(.serialized)
struct DetectionsTests {
  @Test(.needsFixtures, arguments: Fixture.files("roi", prefix: "detections"))
  func matchesPeers(_ name: String) throws {
    let fixture = try Fixture(name)
    var rule = DetectionRule()
    rule.scoreThreshold = try fixture.number("score_thr")
    rule.detectionsPerImage = try fixture.integer("max_per_img")
    rule.nmsThreshold = Float(try fixture.number("nms_iou"))
    let classes = try fixture.integer("num_classes")
    let size = try #require(fixture.params["image_hw"]?.array).compactMap(\.number)
    let rescales = fixture.params["rescale"]?.bool ?? false
    let scale = try #require(fixture.params["scale_factor_wh"]?.array).compactMap(\.number)
    try TestDevice.withStream { stream in
      let probabilities = try fixture.tensor("logits", on: stream).softmax()
      try fixture.expect(probabilities, equals: "probabilities")
      let rois = try fixture.floats("rois")
      let corners = stride(from: 0, to: rois.count, by: 5).flatMap { rois[$0 + 1..<$0 + 5] }
      let decoded = try Tensor(corners, shape: [corners.count / 4, 4], on: stream).decodedBoxes(
        try fixture.tensor("deltas", on: stream), coding: BoxCoder.proposals.coding,
        imageSize: (Float(size[1]), Float(size[0])))
      // The peer's decoded boxes are in the frame of its results.
      let (width, height) = (Int(size[1]), Int(size[0]))
      let view = ImageView(
        originalWidth: Int((size[1] / scale[0]).rounded()),
        originalHeight: Int((size[0] / scale[1]).rounded()), width: width, height: height)
      func inResultFrame(_ box: Box) -> Box { rescales ? view.original(box) : box }
      let boxes = [Box](corners: try decoded.floats())
      expectClose(
        boxes.map(inResultFrame).corners, try fixture.floats("decoded"),
        relative: fixture.relative, absolute: fixture.absolute, "\(name) decoded")
      let found = rule.select(
        ranks: try probabilities.floats(), columns: classes + 1, classes: classes,
        boxes: boxes, threshold: Float(rule.scoreThreshold))
      #expect(try found.map { Int32($0.label) } == fixture.integers("labels"))
      for (got, key) in [
        (found.map { inResultFrame($0.box) }.corners, "boxes"), (found.map(\.score), "scores"),
      ] {
        expectClose(
          got, try fixture.floats(key), relative: fixture.relative, absolute: fixture.absolute,
          "\(name) \(key)")
      }
    }
  }

  @Test func rivalsTakeNoPlaceOfOthers() {
    var rule = DetectionRule()
    rule.detectionsPerImage = 2
    let boxes = (0..<4).map { place in
      Box(x1: Float(100 * place), y1: 0, x2: Float(100 * place + 50), y2: 50)
    }
    // Class 1 is surer everywhere.
    let ranks: [Float] = [0.3, 0.6, 0.1, 0.25, 0.7, 0.05, 0.2, 0.75, 0.05, 0.1, 0.8, 0.1]
    func select() -> [DetectedObject] {
      rule.select(ranks: ranks, columns: 3, classes: 2, boxes: boxes, threshold: 0)
    }
    #expect(select().map(\.label) == [1, 1])
    rule.rivals = [1]
    #expect(select().map(\.label) == [1, 1, 0, 0])
    #expect(select().map(\.score) == [0.8, 0.75, 0.3, 0.25])
  }

  @Test(.needsFixtures, arguments: Fixture.files("roi", prefix: "ensemble"))
  func ensembleMatchesPeers(_ name: String) throws {
    let fixture = try Fixture(name)
    try TestDevice.withStream { stream in
      let main = try fixture.tensor("cls_logits", on: stream).softmax()
      let other = try fixture.tensor("kd_logits", on: stream).softmax()
      try fixture.expect(main, equals: "cls_scores")
      try fixture.expect(other, equals: "kd_scores")
      let combined = EnsembleScores(factor: Float(try fixture.number("factor"))).combined(
        main: try main.floats(), other: try other.floats(),
        isBase: try fixture.floats("is_base").map { $0 > 0.5 })
      expectClose(combined, try fixture.floats("scores"), "\(name) scores")
    }
  }

  @Test func agreesWithSuppressionClassByClass() {
    let count = 60
    let classes = 5
    let corners = randomFloats(4 * count, seed: 3, in: 0...1)
    let boxes = (0..<count).map { index in
      let (x, y) = (40 * corners[4 * index], 40 * corners[4 * index + 1])
      return Box(
        x1: x, y1: y, x2: x + 5 + 20 * corners[4 * index + 2],
        y2: y + 5 + 20 * corners[4 * index + 3])
    }
    // Few distinct values, so that there are ties.
    let ranks = randomFloats(count * (classes + 1), seed: 4, in: 0...1)
      .map { ($0 * 16).rounded() / 16 }
    var rule = DetectionRule()
    for limit in [0, 1, 17, 1000] {
      rule.detectionsPerImage = limit
      let found = rule.select(
        ranks: ranks, columns: classes + 1, classes: classes, boxes: boxes, threshold: 0.25)
      var wanted: [(rank: Float, row: Int, label: Int)] = []
      for label in 0..<classes {
        let order = (0..<count).filter { ranks[$0 * (classes + 1) + label] > 0.25 }
          .sorted {
            let (a, b) = (ranks[$0 * (classes + 1) + label], ranks[$1 * (classes + 1) + label])
            return a != b ? a > b : $0 < $1
          }
        var kept: [Int] = []
        for row in order where kept.allSatisfy({ boxes[$0].iou(with: boxes[row]) <= 0.5 }) {
          kept.append(row)
        }
        wanted += kept.map { (ranks[$0 * (classes + 1) + label], $0, label) }
      }
      wanted.sort {
        $0.rank != $1.rank ? $0.rank > $1.rank : ($0.row, $0.label) < ($1.row, $1.label)
      }
      let expected = wanted.prefix(limit).map {
        DetectedObject(
          box: boxes[$0.row], label: $0.label, score: $0.rank, proposal: $0.row)
      }
      #expect(found == expected, "limit \(limit)")
    }
  }

  @Test func sigmoidScoresOrderByLogitAndReportWithBias() {
    let boxes = [Box(x1: 0, y1: 0, x2: 5, y2: 5), Box(x1: 20, y1: 0, x2: 25, y2: 5)]
    var rule = DetectionRule()
    // Both scores are 1 in float32 without the bias.
    let logits: [Float] = [20, -30, 0, 24, -30, 0]
    let found = rule.selectSigmoid(logits: logits, classes: 2, logitBias: -20, boxes: boxes)
    #expect(found.map(\.box) == [boxes[1], boxes[0], boxes[0], boxes[1]])
    #expect(found[1].score == 0.5)
    rule.usesReferenceSigmoid = true
    let reference = rule.selectSigmoid(logits: logits, classes: 2, logitBias: -20, boxes: boxes)
    #expect(reference.map(\.box) == boxes)
    #expect(reference.map(\.score) == [1, 1])
  }

  @Test func nothingInNothingOut() {
    #expect(
      DetectionRule().select(ranks: [], columns: 3, classes: 2, boxes: [], threshold: 0).isEmpty)
  }
}
