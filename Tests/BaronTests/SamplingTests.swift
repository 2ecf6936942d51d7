import Baron
import Detection
import Formats
import Geometry
import TestSupport
import Testing

/// The rows of an `[n, 4]` tensor as boxes.
func boxes(_ fixture: Fixture, _ key: String) throws -> [Box] {
  let values = try fixture.floats(key)
  return stride(from: 0, to: values.count, by: 4).map {
    Box(x1: values[$0], y1: values[$0 + 1], x2: values[$0 + 2], y2: values[$0 + 3])
  }
}

/// Coordinates one after the other.
func coordinates(_ boxes: [Box]) -> [Float] {
  boxes.flatMap { [$0.x1, $0.y1, $0.x2, $0.y2] }
}

@Suite(
  "Sampling of bags against the peer",
  .enabled(if: Fixture.available, "the fixture folder is missing: set BARON_FIXTURES"))
struct SamplingFixtureTests {
  @Test("proposal filter", arguments: Fixture.files("baron", prefix: "proposals_"))
  func proposals(name: String) throws {
    let fixture = try Fixture(name)
    let size = try fixture.floats("image_size_hw")
    let all = zip(try boxes(fixture, "boxes"), try fixture.floats("scores")).map {
      ScoredBox($0, score: $1)
    }
    var filter = ProposalFilter(
      topCount: all.count, overlap: Float(try fixture.number("nms_thr")))
    filter.shapeRatio = Float(try fixture.number("shape_ratio_thr"))
    filter.areaRatio = Float(try fixture.number("area_ratio_thr"))
    filter.objectness = Float(try fixture.number("objectness_thr"))
    let kept = filter(all, groundTruth: [], width: size[1], height: size[0])
    expectClose(
      coordinates(kept.map(\.box)), try fixture.floats("kept_boxes"), "\(name) kept_boxes")
    #expect(kept == (try fixture.integers("kept")).map { all[Int($0)] })
    let halved = all.map { ScoredBox($0.box, score: $0.score / 2) }
    let lonely = filter(halved, groundTruth: [], width: size[1], height: size[0])
    #expect(lonely == (try fixture.integers("kept_when_none_valid")).map { halved[Int($0)] })
    // With top-k the result is that of the k best alone.
    filter.topCount = try fixture.integer("topk")
    let best = try fixture.integers("topk").map { all[Int($0)] }
    #expect(
      filter(all, groundTruth: [], width: size[1], height: size[0])
        == filter(best, groundTruth: [], width: size[1], height: size[0]))
  }

  @Test("neighbourhood", arguments: Fixture.files("baron", prefix: "neighbourhood_"))
  func neighbourhood(name: String) throws {
    let fixture = try Fixture(name)
    let size = try fixture.floats("image_size_hw")
    var sampling = NeighbourhoodSampling()
    sampling.alpha = try fixture.number("alpha")
    sampling.baseProbability = try fixture.number("base_probability")
    sampling.visibility = try fixture.number("cut_off_thr")
    sampling.interval = try fixture.number("interval")
    sampling.groupLimit = try fixture.integer("max_groups")
    sampling.permutationLimit = try fixture.integer("max_permutations")
    let proposals = try boxes(fixture, "boxes")
    let sides = proposals.map { sampling.sideProbabilities($0, width: size[1], height: size[0]) }
    expectClose(
      sides.flatMap { $0 }, try fixture.floats("left_right_up_down"), "\(name) sides")
    expectClose(
      sides.flatMap { sampling.cellProbabilities(sides: $0) },
      try fixture.floats("box_probability"), "\(name) cells")
    let groupBox = try fixture.integers("group_box")
    let lengths = try fixture.integers("seq_length")
    let ids = try fixture.integers("box_ids")
    var next = 0
    var spans = [Box?](repeating: nil, count: groupBox.count)
    var sampled: [Box] = []
    var normalised: [Box] = []
    for (group, length) in zip(try fixture.integers("seq_group"), lengths) {
      let proposal = proposals[Int(groupBox[Int(group)])]
      let cells = ids[next..<next + Int(length)].map {
        sampling.cellBox(Int($0), of: proposal, width: size[1], height: size[0])
      }
      next += Int(length)
      let span = NeighbourhoodSampling.span(of: cells)
      spans[Int(group)] = span
      sampled += cells
      normalised += cells.map { NeighbourhoodSampling.normalised($0, in: span) }
    }
    expectClose(coordinates(sampled), try fixture.floats("seq_boxes"), "\(name) boxes")
    expectClose(coordinates(normalised), try fixture.floats("normed_boxes"), "\(name) normed")
    expectClose(
      coordinates(spans.compactMap { $0 }), try fixture.floats("spanned_boxes"), "\(name) spans")
    // The drawn bags of the peer obey the rule that ours follows.
    for (index, proposal) in groupBox.enumerated()
    where index == 0 || groupBox[index - 1] != proposal {
      let probabilities = sampling.cellProbabilities(sides: sides[Int(proposal)])
      var random = CounterRandom(seed: 1, UInt64(proposal))
      let ours = sampling.bags(probabilities: probabilities, using: &random)
      #expect(ours.count == groupBox.filter { $0 == proposal }.count)
      #expect(Set(ours).count == ours.count)
    }
  }

  @Test("box cache over four visits")
  func boxCache() throws {
    let fixture = try Fixture("baron/boxes_cache.safetensors")
    var settings = BoxCacheSettings()
    settings.capacity = try fixture.integer("num_proposals")
    settings.firstCall = try fixture.integer("start_iter")
    var filter = ProposalFilter(overlap: Float(try fixture.number("nms_thr")))
    filter.objectness = Float(try fixture.number("score_thr"))
    var cache = BoxCache("cache", settings, filter: filter)
    let image = Int32(try fixture.integer("image_id"))
    let ids = (fixture.params["image_ids"]?.array ?? []).compactMap(\.integer)
    var visit = 0
    while fixture.has("in\(visit)_boxes") {
      let scale = try fixture.floats("scale_factor_wh\(visit)")
      let size = try fixture.integers("image_size_hw\(visit)")
      let (width, height) = (Int(size[1]), Int(size[0]))
      let view = ImageView(
        originalWidth: Int((Float(width) / scale[0]).rounded()),
        originalHeight: Int((Float(height) / scale[1]).rounded()), width: width, height: height,
        isFlipped: try fixture.integers("flip\(visit)")[0] != 0)
      let given = zip(
        try boxes(fixture, "in\(visit)_boxes"), try fixture.floats("in\(visit)_scores")
      ).map { ScoredBox($0, score: $1) }
      let merged = cache.merged(given, image: image, view: view)
      expectClose(
        coordinates(merged.map(\.box)), try fixture.floats("out\(visit)_boxes"), "boxes \(visit)")
      expectClose(merged.map(\.score), try fixture.floats("out\(visit)_scores"), "scores \(visit)")
      // The peer keeps a dense table with zeros where nothing is known.
      let table = ids.flatMap { id -> [Float] in
        let rows = (cache.entries[Int32(id)] ?? []).flatMap {
          coordinates([$0.box]) + [$0.score]
        }
        return rows + [Float](repeating: 0, count: 5 * settings.capacity - rows.count)
      }
      expectClose(table, try fixture.floats("cache\(visit)"), "table \(visit)")
      visit += 1
    }
    #expect(visit > 0)
  }

  @Test("crop masks", arguments: Fixture.files("baron", prefix: "attention_mask_"))
  func cropMask(name: String) throws {
    let fixture = try Fixture(name)
    var next = 0
    let all = try boxes(fixture, "normed_boxes")
    let crops = try fixture.integers("boxes_per_sequence").map { count in
      defer { next += Int(count) }
      return Array(all[next..<next + Int(count)])
    }
    let mask = CropMask.additive(
      crops: crops, grid: try fixture.integer("grid"), heads: try fixture.integer("heads"))
    expectClose(mask, try fixture.floats("mask"), name)
  }
}

@Suite("Sampling of bags")
struct SamplingTests {
  /// Examples of spec method 1.21.
  @Test("hand-made probabilities")
  func examples() {
    let sampling = NeighbourhoodSampling()
    func sides(_ box: Box, _ width: Float, _ height: Float) -> [Double] {
      sampling.sideProbabilities(box, width: width, height: height)
    }
    let tall = sides(Box(x1: 300, y1: 350, x2: 350, y2: 450), 1000, 800)
    expectClose(tall, [0.3, 0.3, 0.0375, 0.0375], "a tall box")
    expectClose(
      sampling.cellProbabilities(sides: tall)[0...0].map { $0 }, [0.106066], "its corner")
    let atEdge = sides(Box(x1: 0, y1: 100, x2: 200, y2: 300), 1333, 800)
    expectClose(atEdge, [0, 0.3, 0.3, 0.3], "a box at the left edge")
    #expect(sampling.cellProbabilities(sides: atEdge).filter { $0 > 0 }.count == 6)
    let whole = sides(Box(x1: 10, y1: 10, x2: 1300, y2: 790), 1333, 800)
    #expect(whole == [0, 0, 0, 0])
    var random = CounterRandom(seed: 3)
    #expect(
      sampling.bags(probabilities: sampling.cellProbabilities(sides: whole), using: &random)
        == [[4]])
  }

  @Test("cells of an unclipped box")
  func cells() {
    let sampling = NeighbourhoodSampling()
    let box = Box(x1: 100, y1: 200, x2: 200, y2: 300)
    let wanted: [[Float]] = [
      [10, 110, 110, 210], [100, 110, 200, 210], [190, 110, 290, 210], [10, 200, 110, 300],
      [100, 200, 200, 300], [190, 200, 290, 300], [10, 290, 110, 390], [100, 290, 200, 390],
      [190, 290, 290, 390],
    ]
    for cell in 0..<9 {
      expectClose(
        coordinates([sampling.cellBox(cell, of: box, width: 2000, height: 2000)]), wanted[cell],
        "cell \(cell)")
    }
  }

  @Test("a region that stands alone keeps its place in a larger crop")
  func enlargedCrop() {
    let region = Box(x1: 20, y1: 40, x2: 40, y2: 50)
    var bags = BagBatch()
    bags.append(
      region: region, image: 0, span: region.enlarged(by: 2, width: 75, height: 90))
    #expect(coordinates(bags.regions.map(\.box)) == [20, 40, 40, 50])
    #expect(coordinates(bags.spans.map(\.box)) == [10, 35, 50, 55])
    #expect(coordinates(bags.normalisedBoxes) == [0.25, 0.25, 0.75, 0.75])
  }

  /// Drawing without replacement must have the distribution of drawing again on a repeat.
  @Test("bags follow the product distribution")
  func distribution() {
    var sampling = NeighbourhoodSampling()
    sampling.groupLimit = 1
    var probabilities = [Double](repeating: 0, count: 9)
    (probabilities[4], probabilities[1], probabilities[5]) = (1, 0.3, 0.2)
    var counts: [[Int]: Int] = [:]
    let draws = 20_000
    for draw in 0..<draws {
      var random = CounterRandom(seed: 11, UInt64(draw))
      for group in sampling.bags(probabilities: probabilities, using: &random) {
        counts[group, default: 0] += 1
      }
    }
    let wanted: [[Int]: Double] = [
      [4]: 0.56, [1, 4]: 0.24, [4, 5]: 0.14, [1, 4, 5]: 0.06,
    ]
    #expect(Set(counts.keys) == Set(wanted.keys))
    for (group, share) in wanted {
      #expect(abs(Double(counts[group] ?? 0) / Double(draws) - share) < 0.012, "\(group)")
    }
  }

  @Test("a shape that rejection would hardly leave ends at once")
  func extreme() {
    let sampling = NeighbourhoodSampling()
    let sides = sampling.sideProbabilities(
      Box(x1: 100, y1: 400, x2: 600, y2: 410), width: 1333, height: 800)
    var random = CounterRandom(seed: 5)
    let groups = sampling.bags(
      probabilities: sampling.cellProbabilities(sides: sides), using: &random)
    #expect(Set(groups).count == groups.count && groups.count >= 1)
  }

  @Test("permutations are distinct and uniform", arguments: [1, 2, 3, 5, 11])
  func permutations(count: Int) {
    var firsts = [Int](repeating: 0, count: count)
    for draw in 0..<3000 {
      var random = CounterRandom(seed: 2, UInt64(draw))
      let orders = NeighbourhoodSampling.permutations(of: count, limit: 4, using: &random)
      #expect(orders.count == (count == 1 ? 1 : count == 2 ? 2 : 4))
      #expect(Set(orders).count == orders.count)
      for order in orders { #expect(order.sorted() == Array(0..<count)) }
      firsts[orders[0][0]] += 1
    }
    for first in firsts { #expect(abs(Double(first) - 3000 / Double(count)) < 200) }
  }

  @Test("no proposals and no valid proposals")
  func fallback() {
    let filter = ProposalFilter()
    #expect(
      filter([], groundTruth: [], width: 100, height: 50)
        == [ScoredBox(Box(x1: 0, y1: 0, x2: 99, y2: 49), score: 1)])
    let thin = ScoredBox(Box(x1: 0, y1: 0, x2: 90, y2: 1), score: 0.4)
    #expect(filter([thin], groundTruth: [], width: 100, height: 50) == [thin])
  }

  @Test("a batch of bags is consistent and capped")
  func batch() {
    var bags = BagBatch()
    var random = CounterRandom(seed: 9)
    let proposals = [
      Box(x1: 100, y1: 100, x2: 180, y2: 170), Box(x1: 0, y1: 0, x2: 60, y2: 60),
      Box(x1: 250, y1: 120, x2: 300, y2: 200),
    ]
    let sampling = NeighbourhoodSampling()
    for image in 0..<2 {
      bags.append(
        proposals: proposals, image: image, width: 400, height: 300, sampling: sampling,
        using: &random)
    }
    #expect(bags.lengths.reduce(0, +) == bags.occurrenceCount)
    #expect(bags.bagOfSequence.count == bags.sequenceCount)
    #expect(bags.regionKeys.count == bags.occurrenceCount)
    #expect(Set(bags.regionKeys).count == bags.regions.count)
    #expect(bags.proposalCount == 6)
    for (region, box) in zip(bags.regionOfOccurrence, bags.normalisedBoxes) {
      #expect(Int(region) < bags.regions.count)
      #expect(box.x1 >= -1e-6 && box.x2 <= 1 + 1e-6 && box.y1 >= -1e-6 && box.y2 <= 1 + 1e-6)
    }
    var capped = BagBatch()
    capped.append(
      proposals: proposals, image: 0, width: 400, height: 300, sampling: sampling,
      occurrenceLimit: 5, using: &random)
    #expect(capped.occurrenceCount <= 5)
  }
}
