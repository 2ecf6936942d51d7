import Formats
import Geometry
import OpenCL
import OperatorChecks
import Tensors
import TestSupport
import Testing

@testable import Detection

@Suite("Box sampling")
struct BoxSamplingTests {
  private let sampler = BalancedSampler(count: 20, positiveFraction: 0.25)

  private func matches(positives: Int, negatives: Int, ignored: Int) -> [Int32] {
    var random = CounterRandom(seed: 5, UInt64(positives))
    var result = (0..<positives + negatives + ignored).map {
      $0 < positives
        ? Int32($0) : $0 < positives + ignored ? Tensor.leftOut : Tensor.background
    }
    random.shuffle(&result)
    return result
  }

  @Test("the draw of the host, image by image", arguments: TestDevice.families)
  func againstTheHost(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let rows = [0, 1, 4, 5, 6, 30].map {
        matches(positives: $0, negatives: 70 - $0, ignored: 7)
      }
      let random = rows.indices.map { CounterRandom(seed: 1, UInt64($0)) }
      let drawn = try Tensor(rows.flatMap { $0 }, shape: [rows.count, 77], on: stream)
        .sampledRows(sampler, random: random)
      for (image, lists) in try drawn.lists().enumerated() {
        let wanted = HostReference.sample(rows[image], sampler, random: random[image])
        #expect(lists.positives == wanted.positives && lists.negatives == wanted.negatives)
        #expect(lists.positives.count == min([0, 1, 4, 5, 6, 30][image], 5))
        #expect(lists.negatives.count == 20 - lists.positives.count)
      }
    }
  }

  @Test("many candidates, so that bins hold many", arguments: TestDevice.families)
  func many(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let row = matches(positives: 3000, negatives: 60_000, ignored: 500)
      let sampler = BalancedSampler(count: 256, positiveFraction: 0.5)
      let random = CounterRandom(seed: 8, 1)
      let drawn = try Tensor(row, shape: [1, row.count], on: stream)
        .sampledRows(sampler, random: [random])
      let wanted = HostReference.sample(row, sampler, random: random)
      let lists = try drawn.lists()
      #expect(lists[0].positives == wanted.positives && lists[0].negatives == wanted.negatives)
      #expect(lists[0].positives.count == 128 && lists[0].negatives.count == 128)
    }
  }

  @Test(
    "too few of everything takes all, and nothing gives nothing", arguments: TestDevice.families)
  func few(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let random = CounterRandom(seed: 1)
      let few = try Tensor([0, -2, -1, -2, 3, -1] as [Int32], shape: [1, 6], on: stream)
        .sampledRows(sampler, random: [random]).lists()
      #expect(few[0].positives == [0, 4] && few[0].negatives == [2, 5])
      let none = try Tensor([] as [Int32], shape: [2, 0], on: stream)
        .sampledRows(sampler, random: [random, random]).lists()
      #expect(none.allSatisfy { $0.positives.isEmpty && $0.negatives.isEmpty })
    }
  }

  @Test("every candidate is drawn equally often")
  func uniform() throws {
    try TestDevice.withStream { stream in
      let row = matches(positives: 10, negatives: 40, ignored: 0)
      var drawn = [Int](repeating: 0, count: 50)
      let images = 500
      let batch = try Tensor(
        (0..<images).flatMap { _ in row }, shape: [images, 50], on: stream)
      for round in 0..<8 {
        let random = (0..<images).map { CounterRandom(seed: 9, UInt64(round), UInt64($0)) }
        for lists in try batch.sampledRows(sampler, random: random).lists() {
          for index in lists.positives + lists.negatives { drawn[index] += 1 }
        }
      }
      // Means 2000 and 1500 with standard deviations of some 31.
      for (index, match) in row.enumerated() {
        #expect(abs(drawn[index] - (match >= 0 ? 2000 : 1500)) < 160)
      }
    }
  }
}

@Suite("Sampled boxes against peers", .enabled(if: Fixture.available, "no peer fixtures"))
struct SampledBoxesFixtureTests {
  @Test("assigned, laid out, encoded", arguments: TestDevice.families)
  func targets(family: DeviceFamily) throws {
    let files = Fixture.files("roi", prefix: "loss_")
    try #require(!files.isEmpty)
    for file in files {
      let fixture = try Fixture(file)
      let coder = try BoxCoder(
        fixture, under: "coder", means: "target_means", deviations: "target_stds")
      let targets = try TestDevice.withStream(family) { stream in
        let images = try FixtureRegions(fixture, on: stream)
        let wantedTruths = try images.numbers.flatMap { image in
          try fixture.integers("pos_gt\(image)")
            + [Int32](repeating: -1, count: try fixture.integers("neg\(image)").count)
        }
        let found = try images.boxes(coder.coding)
        let full = images.rows.rows.shape[1]
        // Both images of the fixtures are full, so that no row is empty.
        #expect(found.labels.count == images.numbers.count * full)
        #expect(try found.truths.integers() == wantedTruths)
        return (
          regions: try found.regions.floats(), labels: try found.labels.integers(),
          deltas: try found.deltas.floats()
        )
      }
      let rois = try (0..<fixture.numbered("gt").count).flatMap {
        try fixture.floats("rois\($0)")
      }
      let corners = targets.regions.indices.filter { $0 % 5 > 0 }.map { targets.regions[$0] }
      expectClose(corners, rois, "\(file) RoIs")
      #expect(try targets.labels == fixture.integers("labels"))
      expectClose(
        targets.deltas, try fixture.floats("bbox_targets"), relative: fixture.relative,
        absolute: fixture.absolute, "\(file) targets")
    }
  }
}

extension Proposals {
  /// Proposals of each image with rows of zeros behind them.
  init(_ boxes: [[Box]], rows: Int = 0, on stream: ComputeStream) throws {
    let limit = max(rows, boxes.map(\.count).max() ?? 0)
    self.init(
      boxes: try Tensor(
        boxes.flatMap { $0.corners + [Float](repeating: 0, count: 4 * (limit - $0.count)) },
        shape: [boxes.count, limit, 4], on: stream),
      scores: try Tensor(repeating: 0, shape: [boxes.count, limit], on: stream),
      counts: try Tensor(boxes.map { Int32($0.count) }, shape: [boxes.count], on: stream))
  }
}

/// The images of a fixture of the RoI head with the peer's own draw.
struct FixtureRegions {
  let numbers: [Int]
  let candidates: CandidateBoxes
  let truths: TruthBoxes
  let matches: Tensor
  let rows: SampledRows
  private let background: Int

  init(_ fixture: Fixture, on stream: ComputeStream) throws {
    numbers = Array(fixture.numbered("gt").indices)
    background = Int(try fixture.integer("background"))
    truths = try TruthBoxes(
      try numbers.map { [Box](corners: try fixture.floats("gt\($0)")) },
      classes: try numbers.map { try fixture.integers("gt_labels\($0)") }, on: stream)
    let proposals = try Proposals(
      numbers.map { [Box](corners: try fixture.floats("proposals\($0)")) }, on: stream)
    candidates = try RegionSampling.candidates(proposals, truths: truths)
    matches = try Tensor.matchedBoxes(
      candidates, truths: truths,
      thresholds: try MatchingThresholds(fixture, under: "assigner"))
    let positives = try numbers.map { try fixture.integers("pos\($0)").map { Int($0) } }
    let negatives = try numbers.map { try fixture.integers("neg\($0)").map { Int($0) } }
    rows = try SampledRows(positives: positives, negatives: negatives, on: stream)
    // The peer's draw agrees with our matches.
    let found = try matches.integers()
    for image in numbers {
      let own = found[image * candidates.count..<(image + 1) * candidates.count]
      let wanted = try fixture.integers("pos_gt\(image)")
      #expect(positives[image].map { own[own.startIndex + $0] } == wanted)
      #expect(negatives[image].allSatisfy { own[own.startIndex + $0] == Tensor.background })
    }
  }

  func boxes(_ coding: BoxCoding) throws -> SampledBoxes {
    try candidates.boxes.sampledBoxes(
      rows, matches: matches, truths: truths, background: background, coding: coding)
  }

  func targets(_ coding: BoxCoding) throws -> RegionTargets {
    try PendingRegions(try boxes(coding), counts: rows.counts, readsPositives: true).targets()
  }
}
