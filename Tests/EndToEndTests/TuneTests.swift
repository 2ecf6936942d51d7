import Formats
import Foundation
import TestSupport
import Testing

/// `baron tune` and `baron gpu-check`, as a user runs them.
@Suite(
  "Tuning and checking a device", .serialized,
  .enabled(if: BaronProcess.path != nil, "the program is missing"))
struct TuneTests {
  /// The narrow detector of the demo, made smaller, without data and teacher.
  private static let small = [
    "demo-bags", "--drawn", "--teacher", "demo-teacher", "--set", "training.detection_batch=2",
    "--set",
    "training.alignment_batch=2",
  ]
  private static let tune =
    ["tune"] + small + ["--rounds", "1", "--steps", "1", "--classes", "2", "--limit", "20"]

  private func records(_ cache: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(cache)/tuning").map {
      "\(cache)/tuning/\($0)"
    }
  }

  @Test("tune searches, saves, goes on where it stopped, and starts over when asked to")
  func tune() throws {
    let scratch = try Scratch()
    let cache = "\(scratch.folder)/cache"
    let environment = ["BARON_CACHE": cache]
    func run(_ arguments: String...) throws -> BaronProcess.Result {
      try BaronProcess(Self.tune + arguments, environment: environment).finish()
    }
    // No time for any class.
    let stopped = try run("--budget", "0")
    #expect(stopped.status == 0, "\(stopped.errors)")
    #expect(stopped.output.contains("searched  0 of ") && stopped.output.contains("time ran out"))
    #expect(stopped.output.contains("the shipped parameters stay"))
    let json = "\(scratch.folder)/tune.json"
    let whole = try run("--json", json)
    #expect(whole.status == 0 && whole.output.contains("searched  2 of "), "\(whole.errors)")
    #expect(whole.errors.contains("tune  2/2 100%"), "\(whole.errors)")
    let document = try JSONValue(contentsOf: json)
    let entries = try #require(document["record"]?["entries"]?.object)
    #expect(
      entries.count == 2 && entries.values.allSatisfy { $0["attempts"]?.array?.count ?? 0 > 3 })
    let path = try #require(try records(cache).first)
    let saved = try JSONValue(contentsOf: path)
    #expect(saved == document["record"])
    // Everything is known: the numbers stay as they were.
    let second = try run()
    #expect(second.status == 0 && second.errors.contains("2 of them are known already"))
    #expect(
      try JSONValue(contentsOf: path)["entries"]?.object?.mapValues { $0["attempts"] }
        == saved["entries"]?.object?.mapValues { $0["attempts"] })
    #expect(try run("--again", "--budget", "0").output.contains("searched  0 of "))
    // A damaged record is told in one line and replaced.
    try Data("{".utf8).write(to: URL(filePath: path))
    let damaged = try run("--budget", "0")
    #expect(
      damaged.status == 0 && damaged.lines("warning: \(path)").count == 1, "\(damaged.errors)")
    #expect(try JSONValue(contentsOf: path)["format"]?.integer == 1)
  }

  @Test("an accepted table is named by profile, and left out when asked to")
  func accepted() throws {
    let scratch = try Scratch()
    let cache = "\(scratch.folder)/cache"
    func profile(_ arguments: String..., tuning: String = "") throws -> BaronProcess.Result {
      let result = try BaronProcess(
        ["profile"] + Self.small + ["--steps", "1", "--warmup", "1"] + arguments,
        environment: ["BARON_CACHE": cache, "BARON_TUNING": tuning]
      ).finish()
      #expect(result.status == 0, "\(result.errors)")
      return result
    }
    #expect(
      try BaronProcess(Self.tune + ["--classes", "1"], environment: ["BARON_CACHE": cache])
        .finish().status == 0)
    // As if the search had been won, by what it tried last.
    let path = try #require(try records(cache).first)
    var record = try #require(try JSONValue(contentsOf: path).object)
    let entries = (record["entries"]?.object ?? [:]).mapValues { entry in
      var members = entry.object ?? [:]
      members["accepted"] = true
      members["parameters"] =
        entry["attempts"]?.array?.last { $0["rejected"] == nil }?["parameters"] ?? .null
      return JSONValue.object(members)
    }
    record["entries"] = .object(entries)
    try Data(JSONValue.object(record).text().utf8).write(to: URL(filePath: path))
    let tuned = try profile()
    #expect(tuned.output.contains("tuning      table "), "\(tuned.output)")
    #expect(!(try profile("--shipped-plans")).output.contains("tuning      table"))
    #expect(!(try profile(tuning: "off")).output.contains("tuning      table"))
    // Another driver's record is told, not used.
    record["driver"] = "another"
    try Data(JSONValue.object(record).text().utf8).write(to: URL(filePath: path))
    let foreign = try profile()
    #expect(foreign.lines("warning:").contains { $0.contains("found with driver another") })
    #expect(!foreign.output.contains("tuning      table"))
  }

  @Test("wrong input to tune is told in one line")
  func wrongInput() throws {
    expectError(try BaronProcess.run("tune", "demo-bagz"), "demo-bagz")
    expectError(
      try BaronProcess.run("tune", "demo-bags", environment: ["BARON_CACHE": "off"]),
      "BARON_CACHE=off")
    #expect(try BaronProcess.run("tune", "demo-bags", "--limit", "0").status == 64)
    #expect(try BaronProcess.run("tune", "demo-bags", "--share", "101").status == 64)
  }

  @Test("gpu-check goes on after a command that fails and writes everything to one file")
  func check() throws {
    let scratch = try Scratch()
    let json = "\(scratch.folder)/check.json"
    func run(_ arguments: String...) throws -> (BaronProcess.Result, JSONValue) {
      let result = try BaronProcess(
        ["gpu-check", "--quick", "--json", json, "--cases", "gemm/text_qkv*"] + arguments,
        environment: ["BARON_CACHE": "\(scratch.folder)/cache"]
      ).finish()
      return (result, try JSONValue(contentsOf: json))
    }
    let (good, document) = try run("--search", "1", "--budget", "2000")
    #expect(good.status == 0, "\(good.errors)")
    let steps = try #require(document["steps"]?.array)
    #expect(
      steps.compactMap { $0["name"]?.string } == [
        "devices", "selftest", "steps", "profile", "bench", "tune",
      ])
    for step in steps {
      #expect(step["status"]?.integer == 0 && step["seconds"]?.number ?? 0 > 0)
      #expect(step["result"] ?? .null != .null, "\(step["name"]?.string ?? "")")
    }
    #expect(steps[1]["result"]?["checks"]?.array?.count ?? 0 > 10)
    #expect(steps[2]["result"]?["seconds_per_step"]?.number ?? 0 > 0)
    #expect(steps[3]["result"]?["kernels"] != nil)
    #expect(good.output.contains("ms a step") && good.output.contains(" right; matrix_product"))
    let entries = try ZipArchive(path: "\(scratch.folder)/check.zip").entries.map(\.name)
    #expect(Set(entries).isSuperset(of: ["check.json", "check-parts/bench.json"]), "\(entries)")
    #expect(entries.contains { $0.hasPrefix("check-parts/build-logs/") }, "\(entries)")
    #expect(document["device"]?.string?.isEmpty == false && document["failed"]?.array == [])

    let (bad, partial) = try run("--set", "training.no_such_key=1", "--limit", "300")
    expectError(bad, "steps, profile, tune failed", "check.json")
    #expect(partial["failed"]?.array?.compactMap(\.string) == ["steps", "profile", "tune"])
    let statuses = partial["steps"]?.array?.compactMap { $0["status"]?.integer }
    #expect(statuses == [0, 0, 1, 1, 0, 1])
    let errors = partial["steps"]?.array?[2]["errors"]?.string ?? ""
    #expect(errors.contains("no_such_key"), "\(errors)")
    let lines = try String(
      contentsOfFile: "\(scratch.folder)/check-parts/bench.json", encoding: .utf8)
    #expect(lines.contains("median_s"), "what bench writes as it goes stays")

    let (late, cut) = try run("--budget", "2")
    #expect(late.status == 1 && cut["steps"]?.array?.count == 6)
    let seconds = cut["steps"]?.array?.compactMap { $0["seconds"]?.number }.reduce(0, +) ?? 0
    #expect(seconds < 20)
  }
}
