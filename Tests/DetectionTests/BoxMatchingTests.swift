import Detection
import Geometry
import OpenCL
import OperatorChecks
import Tensors
import TestSupport
import Testing

extension MatchingThresholds {
  /// The thresholds that a fixture's parameters describe.
  init(_ fixture: Fixture, under key: String? = nil) throws {
    let parameters = key.flatMap { fixture.params[$0] } ?? fixture.params
    func number(_ key: String) throws -> Float {
      Float(try #require(parameters[key]?.number))
    }
    let hasLowQuality = parameters["match_low_quality"]?.bool ?? false
    self.init(
      positive: try number("pos_iou_thr"), negative: try number("neg_iou_thr"),
      lowQuality: hasLowQuality ? try number("min_pos_iou") : nil)
  }
}

@Suite("Box matching")
struct BoxMatchingTests {
  private let square = Box(x1: 0, y1: 0, x2: 10, y2: 10)
  private let half = Box(x1: 0, y1: 0, x2: 10, y2: 5)
  private let anchors = MatchingThresholds(positive: 0.7, negative: 0.3, lowQuality: 0.3)

  /// The matches of one image.
  private func matches(
    _ boxes: [Box], _ truths: [Box], _ thresholds: MatchingThresholds, family: DeviceFamily,
    columns: Int? = nil
  ) throws -> [Int32] {
    try TestDevice.withStream(family) { stream in
      let candidates = CandidateBoxes(
        try Tensor(boxes.corners, shape: [boxes.count, 4], on: stream),
        grids: [
          CandidateBoxes.Grid(
            count: boxes.count, columns: max(1, boxes.count),
            limits: [(rows: 1, columns: columns ?? boxes.count)])
        ])
      return try Tensor.matchedBoxes(
        candidates, truths: try TruthBoxes([truths], on: stream), thresholds: thresholds
      ).integers()
    }
  }

  @Test("thresholds, with what lies between left out", arguments: TestDevice.families)
  func thresholds(family: DeviceFamily) throws {
    let boxes = [7, 5, 2].map { Box(x1: 0, y1: 0, x2: 10, y2: $0) }
    let found = try matches(
      boxes, [square], MatchingThresholds(positive: 0.7, negative: 0.3), family: family)
    #expect(found == [0, Tensor.leftOut, Tensor.background])
  }

  @Test("a ground truth takes all boxes tied at its best IoU", arguments: TestDevice.families)
  func ties(family: DeviceFamily) throws {
    // Later ground truths win.
    #expect(try matches([half, half], [square, square], anchors, family: family) == [1, 1])
    let weak = Box(x1: 0, y1: 0, x2: 10, y2: 2)
    #expect(try matches([weak], [square], anchors, family: family) == [Tensor.background])
  }

  @Test("boxes outside the image and empty ones take no part", arguments: TestDevice.families)
  func validity(family: DeviceFamily) throws {
    #expect(
      try matches([half, square], [square], anchors, family: family, columns: 1)
        == [0, Tensor.leftOut])
    let empty = Box(x1: 3, y1: 3, x2: 3, y2: 8)
    #expect(
      try matches([empty, half], [square], anchors, family: family) == [Tensor.leftOut, 0])
  }

  @Test("no ground truth, no boxes", arguments: TestDevice.families)
  func empty(family: DeviceFamily) throws {
    #expect(try matches([square], [], anchors, family: family) == [Tensor.background])
    #expect(try matches([], [square], anchors, family: family).isEmpty)
  }

  @Test("levels of images of several sizes against the host", arguments: TestDevice.families)
  func levels(family: DeviceFamily) throws {
    let generator = AnchorGenerator(strides: [4, 8], scales: [2, 4], ratios: [0.5, 1, 2])
    let maps = [(height: 31, width: 47), (height: 16, width: 24)]
    let frames = [
      ImageView(imageID: 1, width: 188, height: 124),
      ImageView(imageID: 2, width: 90, height: 64),
      ImageView(imageID: 3, width: 60, height: 60),
    ]
    var numbers = randomFloats(4 * 60, seed: 3, in: 0...1)[...]
    let truths = frames.indices.map { image in
      (0..<[37, 5, 0][image]).map { _ in
        let (x, y) = (numbers.removeFirst() * 150, numbers.removeFirst() * 100)
        let (width, height) = (4 + numbers.removeFirst() * 40, 4 + numbers.removeFirst() * 40)
        return Box(x1: x, y1: y, x2: x + width, y2: y + height)
      }
    }
    for thresholds in [anchors, MatchingThresholds(positive: 0.5, negative: 0.5)] {
      try TestDevice.withStream(family) { stream in
        let levels = generator.strides.indices.map {
          HostSampling.anchors(generator, level: $0, height: maps[$0].height, width: maps[$0].width)
        }
        let columns = maps.map { $0.width * generator.anchorsPerCell }
        let limits = generator.strides.indices.map { level in
          frames.map { frame in
            let padded = frame.padded()
            return (
              rows: padded.height / generator.strides[level],
              columns: padded.width / generator.strides[level] * generator.anchorsPerCell
            )
          }
        }
        let all = levels.flatMap { $0 }
        let candidates = CandidateBoxes(
          try Tensor(all.corners, shape: [all.count, 4], on: stream),
          grids: levels.indices.map {
            CandidateBoxes.Grid(
              count: levels[$0].count, columns: columns[$0], limits: limits[$0])
          })
        let found = try Tensor.matchedBoxes(
          candidates, truths: try TruthBoxes(truths, on: stream), thresholds: thresholds
        ).integers()
        let wanted = frames.indices.flatMap { image in
          HostReference.matches(
            all, truths: truths[image],
            isValid: { place in
              let level = place < levels[0].count ? 0 : 1
              let own = place - level * levels[0].count
              let limit = limits[level][image]
              return own / columns[level] < limit.rows && own % columns[level] < limit.columns
            }, thresholds)
        }
        #expect(found == wanted)
        #expect(Set(found).count > 20)
      }
    }
  }
}

@Suite("Box matching against peers", .enabled(if: Fixture.available, "no peer fixtures"))
struct BoxMatchingFixtureTests {
  @Test("assignments and labels", arguments: TestDevice.families)
  func assignments(family: DeviceFamily) throws {
    let files = Fixture.files("rpn", prefix: "assign_")
    try #require(!files.isEmpty)
    for file in files {
      let fixture = try Fixture(file)
      try TestDevice.withStream(family) { stream in
        let boxes = [Box](corners: try fixture.floats("boxes"))
        let candidates = CandidateBoxes(
          try Tensor(boxes.corners, shape: [boxes.count, 4], on: stream),
          grids: [
            CandidateBoxes.Grid(
              count: boxes.count, columns: boxes.count,
              limits: [(rows: 1, columns: boxes.count)])
          ])
        let truths = [Box](corners: try fixture.floats("gt_boxes"))
        let matches = try Tensor.matchedBoxes(
          candidates, truths: try TruthBoxes([truths], on: stream),
          thresholds: try MatchingThresholds(fixture)
        ).integers()
        let wanted = try fixture.integers("assigned").map {
          $0 > 0 ? $0 - 1 : $0 == 0 ? Tensor.background : Tensor.leftOut
        }
        #expect(matches == wanted, "\(file)")
        let classes = try fixture.integers("gt_labels")
        let labels = matches.map { $0 >= 0 ? classes[Int($0)] : -1 }
        #expect(try labels == fixture.integers("labels"), "\(file)")
      }
    }
  }
}
