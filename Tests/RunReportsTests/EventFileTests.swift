import Formats
import Foundation
import Pictures
import TestSupport
import Testing

@testable import RunReports
@testable import Training

@Suite("Event files") struct EventFileTests {
  static let modules = ["tensorboard.backend.event_processing.event_accumulator"]

  /// The records of a file; their frames are checked.
  private func records(_ path: String) throws -> [Data] {
    var rest = try Data(contentsOf: URL(filePath: path))[...]
    var records: [Data] = []
    while !rest.isEmpty {
      let length = rest.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
      let record = Data(rest.dropFirst(12).prefix(length))
      #expect(EventFile.framed(record) == Data(rest.prefix(length + 16)))
      records.append(record)
      rest = rest.dropFirst(length + 16)
    }
    return records
  }

  @Test func framesAreThoseOfTensorFlow() {
    // Of the record "abc", by the masked CRC-32C of TensorFlow.
    let frame = EventFile.framed(Data("abc".utf8))
    #expect(frame.count == 8 + 4 + 3 + 4)
    #expect(Array(frame.prefix(8)) == [3, 0, 0, 0, 0, 0, 0, 0])
    #expect(Array(frame[12..<15]) == Array("abc".utf8))
    func masked(_ bytes: [UInt8]) -> [UInt8] {
      let sum = bytes.withUnsafeBytes { Checksum.crc32c($0) }
      let value = (sum >> 15 | sum << 17) &+ 0xA282_EAD8
      return (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
    }
    #expect(Array(frame[8..<12]) == masked([3, 0, 0, 0, 0, 0, 0, 0]))
    #expect(Array(frame[15...]) == masked(Array("abc".utf8)))
  }

  @Test func messagesAreWrittenFieldByField() throws {
    let scratch = try Scratch()
    let file = try EventFile(folder: scratch.folder, startingAt: 300) { 2 }
    try file.add([("loss", 0.5), ("nothing", .nan)], step: 301)
    try file.add([("nothing", .infinity)], step: 302)
    let all = try records(file.path)
    let time: [UInt8] = [0x09, 0, 0, 0, 0, 0, 0, 0, 0x40]
    #expect(all.count == 3)
    #expect(Array(all[0]) == time + [0x1A, 13] + Array("brain.Event:2".utf8))
    // Step 300 is AC 02; a session begins.
    #expect(Array(all[1]) == time + [0x10, 0xAC, 0x02, 0x3A, 2, 0x08, 1])
    let value: [UInt8] = [0x0A, 4] + Array("loss".utf8) + [0x15, 0, 0, 0, 0x3F]
    #expect(
      Array(all[2]) == time + [0x10, 0xAD, 0x02, 0x2A, UInt8(value.count + 2), 0x0A]
        + [UInt8(value.count)] + value)
  }

  @Test func everyStartHasAFileOfItsOwn() throws {
    let scratch = try Scratch()
    let files = try (0..<3).map { _ in try EventFile(folder: scratch.folder, startingAt: 0) { 5 } }
    #expect(Set(files.map(\.path)).count == 3)
    #expect(files.map(\.path) == files.map(\.path).sorted())
    let error = #expect(throws: FormatError.self) {
      try EventFile(folder: "\(scratch.folder)/none", startingAt: 0)
    }
    #expect(error.map { "\($0)".contains("/none/events.out.tfevents.") } ?? false)
  }

  /// A run that was interrupted after step 12, resumed from its checkpoint at 10 and scored.
  @Test(
    .enabled(
      if: PeerPython.python(importing: modules) != nil,
      Comment(rawValue: PeerPython.missing(modules))))
  func tensorBoardReadsTheSame() throws {
    let scratch = try Scratch()
    let run = try MadeUpRun("run", in: scratch, evaluations: [10, 20], steps: 20)
    func observe(_ steps: Range<Int>, from first: Int, evaluations: [Int]) throws {
      let observer = RunObserver(run: run.path, iterations: 20, logEvery: 2, writesEvents: true)
      observer.see(.starting(at: first)) { Issue.record("\($0)") }
      for step in steps {
        var record = MadeUpRun.record(step)
        // What an interrupted run measured is not what counts in the end.
        if first == 0, step >= 10 { record.losses["loss_bag"] = 99 }
        observer.see(.step(record)) { Issue.record("\($0)") }
        guard evaluations.contains(step + 1) else { continue }
        observer.see(try run.validated(step + 1)) { Issue.record("\($0)") }
      }
    }
    try observe(0..<12, from: 0, evaluations: [10])
    try observe(10..<20, from: 10, evaluations: [20])
    let output = try PeerPython.run(script: "event_files.py", arguments: [run.path])
    // Libraries of Python may have said something before.
    let last = output.split(separator: "\n").last.map(String.init) ?? ""
    let read = try JSONValue(parsing: last, source: "event_files.py")
    let losses = try #require(read["scalars"]?["loss/bag"]?.array)
    #expect(losses.map { $0["step"]?.integer } == stride(from: 2, through: 20, by: 2).map { $0 })
    #expect(losses.allSatisfy { $0["value"] == 2 })
    for record in (0..<20).map(MadeUpRun.record) where (record.iteration + 1) % 2 == 0 {
      for (tag, value) in RunObserver.scalars(record) {
        let found = (read["scalars"]?[tag]?.array ?? []).first {
          $0["step"]?.integer == record.iteration + 1
        }
        #expect(found?["value"]?.number == Double(Float(value)), "\(tag)")
      }
    }
    for iteration in [10, 20] {
      let scores = try JSONValue(contentsOf: "\(run.path)/scores/iteration-\(iteration).json")
      let values = RunObserver.scalars(scores)
      #expect(values.contains { $0.tag == "score/novel/AP50" })
      for (tag, value) in values {
        let found = (read["scalars"]?[tag]?.array ?? []).filter {
          $0["step"]?.integer == iteration
        }
        #expect(found.map { $0["value"]?.number } == [Double(Float(value))], "\(tag)")
      }
    }
    let text = read["texts"]?["configuration"]?.string ?? ""
    #expect(text.contains("    optimizer:") && text.contains("rate: 0.04"))
    let pictures = try #require(read["pictures"]?["worst/1"]?.array)
    #expect(pictures.map { $0["step"]?.integer } == [10, 20])
    let data = try #require(Data(base64Encoded: pictures[0]["png"]?.string ?? ""))
    let image = try data.withUnsafeBytes { try ImageDecoder.decode($0, name: "picture") }
    #expect(image.width == pictures[0]["width"]?.integer && image.width == 600)
  }

  @Test func aFullDiskCostsAWarning() throws {
    let scratch = try Scratch()
    let run = try MadeUpRun("run", in: scratch)
    let observer = RunObserver(
      run: "\(run.path)/none", iterations: 20, logEvery: 1, writesEvents: true)
    var lines: [String] = []
    for event in [
      TrainingEvent.starting(at: 0), .step(MadeUpRun.record(0)), try run.validated(5),
      try run.validated(10),
    ] {
      observer.see(event) { lines.append($0) }
    }
    #expect(lines.count == 2, "\(lines)")
    #expect(lines.allSatisfy { $0.contains("cannot be written") && $0.contains("/none") })
  }
}
