import Formats
import Foundation
import TestSupport
import Testing

@Suite struct PendingFileTests {
  @Test func itAppearsWhenFinished() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("old", "file")
    let text = String(repeating: "0123456789", count: 20_000)
    let file = try PendingFile(path)
    try file.append(text)
    try file.append("end")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
    try file.finish()
    #expect(try String(contentsOfFile: path, encoding: .utf8) == text + "end")
    #expect(try folder.files == ["file"])
  }

  @Test func whatIsNotFinishedLeavesNoTrace() throws {
    let folder = try TemporaryFolder()
    do {
      let file = try PendingFile("\(folder.path)/file")
      try file.append("text")
    }
    #expect(try folder.files.isEmpty)
    #expect(throws: FormatError.self) { try PendingFile("\(folder.path)/none/file") }
  }
}
