import Formats
import Foundation
import OpenCL
import TestSupport
import Testing

@testable import Training

@Suite struct RunLogTests {
  @Test func entriesHaveTimeAndKind() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/log.txt"
    RunLog(path: path).add(.note, "first")
    let log = RunLog(path: path)
    log.add(.warning, "a\u{1B}[2J name")
    log.add(.note, "a table\n  row\n")
    log.add(.error, "end")
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 5)
    let time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\b/
    #expect(lines[0].contains(time) && lines[0].hasSuffix(" note: first"))
    #expect(lines[1].hasSuffix(" warning: a\\u{1B}[2J name"))
    #expect(lines[2].hasSuffix(" note: a table") && lines[3] == "    row")
    #expect(lines[4].hasSuffix(" error: end"))
  }

  @Test func aFolderThatIsGoneEndsNothing() {
    RunLog(path: "/nowhere/log.txt").add(.note, "lost")
  }

  @Test func sessionsAddUp() throws {
    try TestDevice.withContext(poisoned: false) { context in
      let scratch = try Scratch()
      let path = scratch.folder + "/run.json"
      var first = RunRecord(
        path: path, version: "1", command: ["baron", "train", "a b", "--set", "x=it's"],
        device: context.device)
      first.begin(at: 0)
      let open = try JSONValue(contentsOf: path)["sessions"]?.array ?? []
      #expect(open.count == 1 && open[0]["ended"] == .null && open[0]["outcome"] == .null)
      first.end(.failed("reason"), iterations: 7)
      var second = RunRecord(path: path, version: "2", command: ["baron"], device: context.device)
      second.begin(at: 7)
      second.end(.stopped, iterations: 9)
      let sessions = try JSONValue(contentsOf: path)["sessions"]?.array ?? []
      #expect(sessions.count == 2)
      #expect(sessions[0]["command"] == .string("baron train 'a b' --set 'x=it'\\''s'"))
      #expect(sessions[0]["outcome"] == "failed: reason" && sessions[0]["iterations_done"] == 7)
      #expect(sessions[1]["first_iteration"] == 7 && sessions[1]["outcome"] == "stopped")
      #expect(sessions[1]["device"]?.string == context.device.name)
    }
  }
}
