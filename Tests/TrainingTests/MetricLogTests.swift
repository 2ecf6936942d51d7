import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Metric log")
struct MetricLogTests {
  /// A record whose timings differ from run to run, as real ones do.
  private func record(_ iteration: Int, run: Int = 0) -> MetricRecord {
    MetricRecord(
      iteration: iteration, losses: ["loss_bag": 1 / Double(iteration + 1), "loss_cls": 0.1],
      measures: ["bags": Double(7 * iteration)], learningRate: 1e-5, gradientNorm: 0.1 + 0.2,
      imagesPerSecond: 3.5 + Double(run), dataWaitShare: 0.25, memoryPeak: 1 << 33 + run,
      seconds: 0.5 + Double(run))
  }

  @Test func recordsReadBackEqual() throws {
    let scratch = try Scratch()
    let path = "\(scratch.folder)/metrics.jsonl"
    let log = try MetricLog(path: path, startingAt: 0)
    for iteration in 0..<3 { try log.append(record(iteration)) }
    #expect(try MetricLog.records(in: path) == (0..<3).map { record($0) })
  }

  @Test func oneLineOfJSON() throws {
    let scratch = try Scratch()
    let path = "\(scratch.folder)/metrics.jsonl"
    var odd = record(0)
    odd.losses = ["loss_bag": .nan]
    try MetricLog(path: path, startingAt: 0).append(odd)
    #expect(
      try String(contentsOfFile: path, encoding: .utf8) == """
        {"data_wait_share":0.25,"gradient_norm":0.30000000000000004,"images_per_second":3.5,\
        "iteration":0,"learning_rate":1e-05,"losses":{"loss_bag":null},"measures":{"bags":0},\
        "memory_peak_bytes":8589934592,"seconds":0.5}

        """)
    #expect(try MetricLog.records(in: path)[0].losses["loss_bag"]?.isNaN == true)
  }

  @Test func resumedFileIsThatOfAnUninterruptedRun() throws {
    let scratch = try Scratch()
    let whole = "\(scratch.folder)/whole.jsonl"
    let broken = "\(scratch.folder)/broken.jsonl"
    let first = try MetricLog(path: whole, startingAt: 0)
    for iteration in 0..<8 { try first.append(record(iteration)) }
    do {
      let log = try MetricLog(path: broken, startingAt: 0)
      for iteration in 0..<6 { try log.append(record(iteration)) }
    }
    // A crash in the middle of a line, after a checkpoint of four iterations.
    let handle = try #require(FileHandle(forWritingAtPath: broken))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data("{\"iteration\":6,\"los".utf8))
    try handle.close()
    #expect(try MetricLog.records(in: broken).count == 6)

    let resumed = try MetricLog(path: broken, startingAt: 4)
    #expect(try MetricLog.records(in: broken) == (0..<4).map { record($0) })
    for iteration in 4..<8 { try resumed.append(record(iteration, run: 1)) }
    let wanted = try MetricLog.records(in: whole)
    let found = try MetricLog.records(in: broken)
    #expect(found != wanted)
    #expect(found.map(\.withoutTimings) == wanted.map(\.withoutTimings))
  }

  @Test func newRunStartsEmpty() throws {
    let scratch = try Scratch()
    let path = "\(scratch.folder)/metrics.jsonl"
    try MetricLog(path: path, startingAt: 0).append(record(0))
    _ = try MetricLog(path: path, startingAt: 0)
    #expect(try MetricLog.records(in: path).isEmpty)
  }

  @Test func theTotalIsTheSumOfAllLosses() throws {
    #expect(record(0).totalLoss == 1.1)
  }

  @Test(arguments: [
    ("{\"iteration\":0,\n", "m.jsonl: line 1: "),
    ("[]\n", "m.jsonl: line 1: iteration is missing or not a whole number"),
    ("{\"iteration\":0}\n", "m.jsonl: line 1: losses is missing or no object"),
    (
      "{\"iteration\":0,\"losses\":{\"a\":\"b\"}}\n",
      "m.jsonl: line 1: losses.a is missing or not a number"
    ),
    (
      "{\"iteration\":0,\"losses\":{},\"measures\":{}}\n",
      "m.jsonl: line 1: learning_rate is missing or not a number"
    ),
  ])
  func malformedLines(text: String, wanted: String) throws {
    let scratch = try Scratch()
    let path = try scratch.write(text, "m.jsonl")
    let error = #expect(throws: FormatError.self) { try MetricLog.records(in: path) }
    let found = "\(try #require(error))".replacingOccurrences(of: scratch.folder + "/", with: "")
    #expect(found.hasPrefix(wanted))
    #expect(!found.contains("\n"))
    // It keeps nobody from going on.
    var warnings: [String] = []
    _ = try MetricLog(path: path, startingAt: 1) { warnings.append($0) }
    #expect(warnings.first == "\(try #require(error)); the line is left out")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "")
  }

  /// What a log says on resuming at an iteration.
  private func warnings(_ path: String, at iteration: Int) throws -> [String] {
    var warnings: [String] = []
    _ = try MetricLog(path: path, startingAt: iteration) {
      warnings.append($0.replacingOccurrences(of: path, with: "LOG"))
    }
    return warnings
  }

  @Test func gapsDoubledLinesAndAMissingFileAreTold() throws {
    let scratch = try Scratch()
    let path = "\(scratch.folder)/metrics.jsonl"
    do {
      let log = try MetricLog(path: path, startingAt: 0)
      for iteration in [0, 1, 1, 4, 5] { try log.append(record(iteration)) }
    }
    let found = try warnings(path, at: 6)
    #expect(found.count == 2)
    #expect(found[0] == "LOG: 1 line stands twice; what comes later is left out")
    #expect(found[1].hasPrefix("LOG: 2 of the iterations 2 to 3 have no line"))
    #expect(try MetricLog.records(in: path).map(\.iteration) == [0, 1, 4, 5])
    try FileManager.default.removeItem(atPath: path)
    #expect(try warnings(path, at: 3)[0].hasPrefix("LOG: 3 of the iterations 0 to 2 have no line"))
    #expect(try warnings(path, at: 0).isEmpty)
  }

  @Test func scoresAreLinesOfTheirOwn() throws {
    let scratch = try Scratch()
    let path = "\(scratch.folder)/metrics.jsonl"
    let scores: JSONValue = [
      "measures": ["AP": 0.5], "classes": [["id": 1]],
      "groups": ["novel": ["classes": 3, "measures": ["AP50": 0.25]]],
    ]
    do {
      let log = try MetricLog(path: path, startingAt: 0)
      for iteration in 0..<4 {
        try log.append(record(iteration))
        if iteration % 2 == 1 { try log.append(evaluation: scores, of: iteration + 1) }
      }
    }
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(
      lines[2] == """
        {"evaluation":{"groups":{"novel":{"classes":3,"measures":{"AP50":0.25}}},\
        "measures":{"AP":0.5}},"iteration":2}
        """)
    #expect(try MetricLog.records(in: path).map(\.iteration) == [0, 1, 2, 3])
    // The scores after two iterations belong to a run that goes on with the third.
    let resumed = try MetricLog(path: path, startingAt: 2)
    #expect(resumed.hasEvaluation(of: 2) && !resumed.hasEvaluation(of: 4))
    #expect(
      try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        == Array(lines.prefix(3)))
  }

  @Test func missingFolder() throws {
    let scratch = try Scratch()
    #expect(throws: FormatError.self) {
      try MetricLog(path: "\(scratch.folder)/none/metrics.jsonl", startingAt: 0)
    }
  }
}
