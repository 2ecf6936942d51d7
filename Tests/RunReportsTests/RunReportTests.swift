import Formats
import Foundation
import TestSupport
import Testing

@testable import RunReports
@testable import Training

@Suite("Report of a run") struct RunReportTests {
  private func report(_ run: MadeUpRun, warn: (String) -> Void = { Issue.record("\($0)") }) throws
    -> String
  {
    RunReport(try RunSource(run.path), warn: warn).html()
  }

  @Test func everyPartIsThere() throws {
    let run = try MadeUpRun("first", in: try Scratch())
    let page = try report(run)
    for heading in [
      "Scores", "Precision and recall", "Errors by kind", "Confusions", "The worst pictures",
      "Training", "Classes", "Machine, speed and memory", "Configuration", "How to repeat it",
    ] {
      #expect(page.contains("<h2>\(heading)</h2>"), "\(heading)")
    }
    // The fork is taken for a mug, and nothing finds it; its picture and its box are there.
    #expect(page.contains("mug 0.300 is fork"))
    #expect(page.contains("data:image/jpeg;base64,"))
    for mark in ["right", "wrong"] { #expect(page.contains("<rect class=\"\(mark)\"")) }
    #expect(page.contains("novel AP50") && page.contains("open-vocabulary detector, 10 of 10"))
    #expect(page.contains("5.0 MB") && page.contains("0.5 (median)"))
    #expect(page.utf8.count < 5_000_000)
    for word in ["http:", "https:", "url(", "<script", "<link"] {
      #expect(!page.replacing("http://www.w3.org/2000/svg", with: "").contains(word), "\(word)")
    }
  }

  @Test func theNearestPresetIsNamed() throws {
    let run = try MadeUpRun("first", in: try Scratch(), rate: 0.05)
    let nearest = try #require(try RunSource(run.path).detector?.nearestPreset())
    #expect(nearest.name == "ov-coco-fpn-kd")
    #expect(Set(nearest.differences.map(\.key)).isSuperset(of: ["optimizer.rate"]))
    let rate = try #require(nearest.differences.first { $0.key == "optimizer.rate" })
    #expect(rate.value == "0.05" && rate.other == "0.04")
    #expect(!nearest.differences.contains { $0.key.hasPrefix("data.validation") })
    #expect(try report(run).contains("<td>optimizer.rate</td><td>0.05</td><td>0.04</td>"))
  }

  @Test func whatIsGoneIsLeftOutWithAWarning() throws {
    let run = try MadeUpRun("first", in: try Scratch())
    for number in 1...3 {
      try FileManager.default.removeItem(atPath: "\(run.scratch.folder)/\(number).png")
    }
    var lines: [String] = []
    var page = try report(run) { lines.append($0) }
    #expect(lines.count == 1 && lines[0].contains("1.png"), "\(lines)")
    #expect(page.contains("Errors by kind") && !page.contains("The worst pictures"))
    try FileManager.default.removeItem(atPath: run.configuration.data.validationAnnotations)
    lines = []
    page = try report(run) { lines.append($0) }
    #expect(lines.count == 1 && lines[0].contains("truth.json"), "\(lines)")
    #expect(page.contains("<h2>Scores</h2>") && !page.contains("Errors by kind"))
  }

  @Test func aRunThatHasJustBegunHasAReport() throws {
    let run = try MadeUpRun("first", in: try Scratch(), evaluations: [], steps: 0)
    #expect(try report(run).contains("has not been evaluated yet"))
    #expect(throws: RunFolderError.self) { try RunSource("\(run.scratch.folder)/none") }
  }

  @Test func aProfileInTheFolderBecomesATable() throws {
    let run = try MadeUpRun("first", in: try Scratch())
    let profile: JSONValue = [
      "device": "a device", "driver": "1", "steps": 2, "wall_seconds": 0.5,
      "kernels": [["kernel": "gemm_tiled", "seconds": 0.25]],
      "phases": [["phase": "step", "queue_seconds": ["student": 0.25], "host_seconds": 0.1]],
    ]
    try Data(profile.text().utf8).write(to: URL(filePath: "\(run.path)/profile.json"))
    let page = try report(run)
    #expect(page.contains("<td>gemm_tiled</td>") && page.contains("125.000"))
    #expect(page.contains("250 ms a step by the clock"))
  }
}

@Suite("Runs side by side") struct RunComparisonTests {
  private func comparison() throws -> RunComparison {
    let scratch = try Scratch()
    let first = try MadeUpRun("first", in: scratch)
    let second = try MadeUpRun("second", in: scratch, evaluations: [10], steps: 12, rate: 0.02)
    return RunComparison([try RunSource(first.path), try RunSource(second.path)])
  }

  @Test func differingKeysStandBesideScores() throws {
    let text = try comparison().text(style: .plain)
    let rows = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    #expect(rows.contains(["optimizer.rate", "0.04", "0.02"]), "\(text)")
    #expect(rows.contains(["training.iterations", "10", "12"]), "\(text)")
    #expect(rows.contains(["iterations", "10", "12"]), "\(text)")
    #expect(rows.contains { $0.starts(with: ["novel", "AP50"]) }, "\(text)")
    #expect(!text.contains("training.seed"))
  }

  @Test func programsGetEveryEvaluation() throws {
    let json = try comparison().json
    let runs = try #require(json["runs"]?.array)
    #expect(runs.map { $0["name"]?.string } == ["first", "second"])
    #expect(runs[0]["scores"]?["novel.AP50"]?.array?.count == 2)
    #expect(runs[1]["differing_keys"]?["optimizer.rate"] == "0.02")
    #expect(runs[0]["seconds_per_step"] == 0.5)
  }

  @Test func thePageHasCurvesOverOneAnother() throws {
    let page = try comparison().html()
    for word in ["<h2>Losses</h2>", "Loss: sum", "Loss: cls", "optimizer.rate", "novel AP50"] {
      #expect(page.contains(word), "\(word)")
    }
    let rest = page.replacing("http://www.w3.org/2000/svg", with: "")
    #expect(!rest.contains("http:") && !rest.contains("https:"))
  }

  @Test func equalNamesAreToldApartByTheirPaths() throws {
    let (one, other) = (try Scratch(), try Scratch())
    let paths = [try MadeUpRun("same", in: one).path, try MadeUpRun("same", in: other).path]
    let text = RunComparison(try paths.map { try RunSource($0) }).text(style: .plain)
    #expect(paths.allSatisfy(text.contains))
  }
}
