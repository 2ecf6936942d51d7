import Detection
import TestSupport
import Testing

@Suite("Region targets against peers", .enabled(if: Fixture.available, "no peer fixtures"))
struct RegionTargetsFixtureTests {
  @Test("assigned, laid out, encoded")
  func targets() throws {
    let files = Fixture.files("roi", prefix: "loss_")
    try #require(!files.isEmpty)
    for file in files {
      let fixture = try Fixture(file)
      let matcher = try Matcher(fixture, under: "assigner")
      let coder = try BoxCoder(
        fixture, under: "coder", means: "target_means", deviations: "target_stds")
      let background = Int32(try fixture.integer("background"))
      var (labels, deltas): ([Int32], [Float]) = ([], [])
      for image in 0... {
        guard fixture.has("gt\(image)") else { break }
        let truths = [Box](corners: try fixture.floats("gt\(image)"))
        let candidates = truths + [Box](corners: try fixture.floats("proposals\(image)"))
        let matches = matcher.matches(boxes: candidates, truths: truths).truths
        let sample = BalancedSampler.Sample(
          positives: try fixture.integers("pos\(image)").map { Int($0) },
          negatives: try fixture.integers("neg\(image)").map { Int($0) })
        #expect(sample.negatives.allSatisfy { matches[$0] == Matcher.background })
        let targets = RegionTargets(
          candidates: candidates, matches: matches, sample: sample, truths: truths,
          labels: try fixture.integers("gt_labels\(image)"), background: background, coder: coder)
        #expect(try targets.matchedTruths.map { Int32($0) } == fixture.integers("pos_gt\(image)"))
        expectClose(targets.boxes.corners, try fixture.floats("rois\(image)"), "\(file) RoIs")
        labels += targets.labels
        deltas += targets.deltas
        deltas += [Float](repeating: 0, count: 4 * sample.negatives.count)
      }
      #expect(try labels == fixture.integers("labels"))
      expectClose(
        deltas, try fixture.floats("bbox_targets"), relative: fixture.relative,
        absolute: fixture.absolute, "\(file) targets")
    }
  }
}
