import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Scores of a run")
struct RunScoresTests {
  private func scores(_ all: Double?, novel: Double?) -> JSONValue {
    func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
    return [
      "measures": ["AP50": number(all)],
      "groups": ["novel": ["classes": 3, "measures": ["AP50": number(novel)]]],
    ]
  }

  @Test func theBestIsFoundByName() throws {
    let scratch = try Scratch()
    let values: [(Int, Double?, Double?)] = [(10, 0.5, nil), (200, 0.25, 0.25), (30, 0.5, 0.125)]
    for (iteration, all, novel) in values {
      _ = try scratch.write(
        scores(all, novel: novel).text(), "iteration-\(iteration).json")
    }
    // A second evaluation by hand, a damaged file, something else.
    _ = try scratch.write(scores(1, novel: 1).text(), "iteration-10-2.json")
    _ = try scratch.write("{", "iteration-40.json")
    _ = try scratch.write("", "notes.txt")
    let found = RunScores(folder: scratch.folder)
    let best = try #require(found.best(by: "novel.AP50"))
    #expect(best.iteration == 200 && best.value == 0.25)
    // Of equal ones the first.
    #expect(try #require(found.best(by: "AP50")).iteration == 10)
    #expect(found.best(by: "rare.AP50") == nil)
    #expect(RunScores(folder: scratch.folder + "/none").best(by: "AP50") == nil)
  }

  @Test func measuresHaveNames() {
    let json = scores(0.5, novel: nil)
    #expect(RunScores.measure("AP50", in: json) == 0.5)
    #expect(RunScores.measure("novel.AP50", in: json) == .null)
    #expect(RunScores.measure("novel.AP51", in: json) == nil)
    #expect(RunScores.names(in: json) == ["AP50", "novel.AP50"])
    #expect(RunScores.measure("base_accuracy", in: ["base_accuracy": 0.25]) == 0.25)
  }
}
