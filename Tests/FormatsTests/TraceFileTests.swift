import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite struct TraceFileTests {
  private func withFile(_ body: (String) throws -> Void) throws {
    let folder = try TemporaryFolder()
    try body(folder.path + "/trace.json")
  }

  @Test func eventsParseAndNest() throws {
    try withFile { path in
      let trace = try TraceFile(path: path)
      try trace.nameProcess("device \"0\"", process: 1)
      try trace.nameThread("queue", process: 1, thread: 2)
      for step in 0..<1000 {
        let start = Double(step) * 100.5
        try trace.span("step", category: "host", process: 1, thread: 2, start: start, duration: 90)
        try trace.span(
          "kernel", category: "device", process: 1, thread: 2, start: start + 10, duration: 40,
          arguments: ["bytes": .number(4096), "name": "matmul\n"])
      }
      try trace.close()
      #expect(trace.count == 2002)

      let events = try #require(try JSONValue(contentsOf: path).array)
      #expect(events.count == 2002)
      #expect(events[0]["ph"]?.string == "M")
      #expect(events[0]["args"]?["name"]?.string == "device \"0\"")
      #expect(events[1]["tid"]?.integer == 2)
      var open: [Double] = []
      for event in events.dropFirst(2) {
        #expect(event["ph"]?.string == "X")
        #expect(event["pid"]?.integer == 1)
        let start = try #require(event["ts"]?.number)
        let end = start + (try #require(event["dur"]?.number))
        while let last = open.last, last <= start { open.removeLast() }
        if let last = open.last { #expect(end <= last) }
        open.append(end)
      }
      #expect(events[3]["args"]?["bytes"]?.integer == 4096)
      #expect(events[3]["args"]?["name"]?.string == "matmul\n")
    }
  }

  @Test func anEmptyTraceIsAnEmptyArray() throws {
    try withFile { path in
      let trace = try TraceFile(path: path)
      try trace.close()
      try trace.close()
      #expect(try JSONValue(contentsOf: path) == [])
    }
  }

  @Test func aBrokenClockIsAnError() throws {
    try withFile { path in
      let trace = try TraceFile(path: path)
      let error = #expect(throws: FormatError.self) {
        try trace.span("step", category: "host", process: 1, thread: 1, start: 5, duration: -1)
      }
      #expect(
        try #require(error).description
          == "\(path): event 0: the span \"step\" starts at 5.0 us and lasts -1.0 us; "
          + "check the clock it was measured with")
    }
  }

  @Test func aMissingFolderIsAnError() throws {
    let error = #expect(throws: FormatError.self) { _ = try TraceFile(path: "/nowhere/trace.json") }
    #expect(
      try #require(error).description
        == "/nowhere/trace.json: cannot be written: No such file or directory")
  }
}
