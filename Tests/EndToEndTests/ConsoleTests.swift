import Formats
import Foundation
import TestSupport
import Testing

/// Standard output and error that are full, closed or a pipe whose reader has gone.
@Suite(
  "Output that cannot be written", .serialized,
  .enabled(if: BaronProcess.available, Comment(rawValue: BaronProcess.missing)))
struct ConsoleTests {
  /// Commands that print a result at once.
  private static let commands = [
    "--help", "train --help", "--version", "config list", "config show coco-mini", "devices",
    "devices --json", "bench --list", "train coco-mini --print-config",
    "evaluate --annotations \(annotations) --detections \"$FOLDER/none.json\"",
    "evaluate --annotations \(annotations) --detections \"$FOLDER/none.json\" --json",
  ]
  private static let annotations =
    "\(Fixture.sharedFolder)/data/coco-mini/annotations/instances_val.json"

  /// Runs a line of shell in which `$BARON` is the program and `$FOLDER` a folder.
  private func shell(_ script: String) throws -> BaronProcess.Result {
    let scratch = try Scratch()
    try Data("[]".utf8).write(to: URL(filePath: "\(scratch.folder)/none.json"))
    return try BaronProcess(
      ["-c", script], program: "/bin/sh",
      environment: ["BARON": BaronProcess.path ?? "", "FOLDER": scratch.folder]
    ).finish()
  }

  @Test("results that cannot be written are an error of one line", arguments: commands)
  func results(command: String) throws {
    for (place, reason) in [
      (">/dev/full", "No space left on device"), (">&-", "Bad file descriptor"),
    ] {
      let result = try shell("\"$BARON\" \(command) \(place)")
      #expect(result.output.isEmpty)
      expectError(result, "error: standard output cannot be written: \(reason)")
    }
  }

  @Test("the reader of a pipe may stop reading", arguments: commands)
  func closedPipe(command: String) throws {
    let result = try shell("{ sleep 0.3; \"$BARON\" \(command); echo \"status $?\" >&2; } | true")
    #expect(result.lines("status ") == ["status 141"], "\(result.errors)")
    #expect(result.lines("error").isEmpty, "\(result.errors)")
  }

  @Test("wrong usage has its status though nobody can be told", arguments: ["2>/dev/full", "2>&-"])
  func wrongUsage(place: String) throws {
    #expect(try shell("\"$BARON\" train --no-such-option \(place)").status == 64)
    #expect(try shell("\"$BARON\" train no-such-preset \(place)").status == 1)
  }

  @Test(
    "training goes on when its progress goes nowhere",
    arguments: ["2>/dev/full", "2>&- >&- <&-", "2>&1 | true"])
  func training(place: String) throws {
    let settings = ["training.iterations=2", "training.evaluate_every=0", "training.log_every=1"]
    let options = settings.map { "--set \($0)" }.joined(separator: " ")
    let result = try shell(
      """
      { "$BARON" train coco-mini --run "$FOLDER/run" \(options); echo $? >"$FOLDER/status"; } \(place)
      cat "$FOLDER/status" "$FOLDER/run/metrics.jsonl"
      ls "$FOLDER/run/checkpoints"
      """)
    let lines = result.output.split(separator: "\n").map(String.init)
    try #require(lines.count == 4, "\(result.output)")
    #expect(lines[0] == "0")
    for line in lines[1...2] {
      #expect(try JSONValue(parsing: line, source: "metrics.jsonl")["iteration"] != nil)
    }
    #expect(lines[3] == "iteration-000002")
  }
}
