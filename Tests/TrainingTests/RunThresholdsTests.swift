import Formats
import TestSupport
import Testing

@testable import Training

@Suite("Thresholds of a run") struct RunThresholdsTests {
  private func scores(_ base: Double?, _ novel: Double?) -> String {
    var groups: [String: JSONValue] = [:]
    if let base { groups["base"] = ["score": .number(base)] }
    if let novel { groups["novel"] = ["score": .number(novel)] }
    return JSONValue.object(["thresholds": .object(groups)]).text()
  }

  @Test func thoseOfTheCheckpointCount() throws {
    let scratch = try Scratch()
    #expect(RunThresholds.find(for: "iteration-10", in: scratch.folder) == nil)
    _ = try scratch.write(scores(0.1, 0.2), "iteration-10.json")
    _ = try scratch.write(scores(0.3, 0.4), "iteration-10-2.json")
    _ = try scratch.write(scores(0.5, 0.6), "iteration-100.json")
    _ = try scratch.write("{}", "iteration-200.json")
    _ = try scratch.write("{", "iteration-300.json")
    let own = try #require(RunThresholds.find(for: "iteration-10", in: scratch.folder))
    #expect(own.base == 0.3 && own.novel == 0.4)
    #expect(own.source == "\(scratch.folder)/iteration-10-2.json")
    // Another checkpoint takes the newest that there are.
    let other = try #require(RunThresholds.find(for: "iteration-200", in: scratch.folder))
    #expect(other.base == 0.5 && other.novel == 0.6)
  }

  @Test func oneGroupStandsInForTheOther() throws {
    let scratch = try Scratch()
    _ = try scratch.write(scores(0.5, nil), "published.json")
    let base = try #require(RunThresholds.find(for: "published", in: scratch.folder))
    #expect(base.base == 0.5 && base.novel == 0.5)
    let all = RunThresholds(["thresholds": ["all": ["score": 0.25]]], source: "x")
    #expect(all?.base == 0.25 && all?.novel == 0.25)
    #expect(RunThresholds(["thresholds": [:]], source: "x") == nil)
  }
}
