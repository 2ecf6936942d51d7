import Formats
import Foundation
import TestSupport
import Testing

@Suite("Atomic files")
struct AtomicFileTests {
  private struct Interruption: Error {}

  private func content(_ path: String) throws -> [UInt8] {
    let file = try MappedFile(path: path)
    return withExtendedLifetime(file) { Array(file.bytes) }
  }

  @Test func contentIsReplacedWhole() throws {
    let scratch = try Scratch()
    let path = try scratch.write([1, 2, 3])
    try AtomicFile.write(Data([9]), to: path)
    #expect(try content(path) == [9])
    try AtomicFile.write(Data(), to: path)
    #expect(try content(path) == [])
    #expect(try scratch.files == ["file"])
  }

  @Test func aFailureLeavesTheOldContentAndNoRest() throws {
    let scratch = try Scratch()
    let path = try scratch.write([1, 2, 3])
    #expect(throws: Interruption.self) {
      try AtomicFile.write(to: path) { descriptor in
        try [UInt8](repeating: 0, count: 10_000).withUnsafeBytes {
          try AtomicFile.append($0, to: descriptor, path: path)
        }
        throw Interruption()
      }
    }
    #expect(try content(path) == [1, 2, 3])
    #expect(try scratch.files == ["file"])
  }

  @Test func whatEndedProcessesLeftIsRemoved() throws {
    let scratch = try Scratch()
    let path = try scratch.write([1])
    let machine = Machine.namePart
    // A folder as well as a file; numbers of other machines, of other targets, and of no process.
    let (file, folder) = ("file.\(machine)-1a2b.partial", "file.\(machine)-3c.partial")
    let others = [
      "file.another\(machine)-1a2b.partial", "file.\(machine)x-1a2b.partial", "file.12.partial",
      "file.\(machine)-x.partial", "file2.\(machine)-1a2b.partial", "file.\(machine)-1a2b",
    ]
    for name in [file] + others {
      try Data([2]).write(to: URL(filePath: "\(scratch.folder)/\(name)"))
    }
    try FileManager.default.createDirectory(
      atPath: "\(scratch.folder)/\(folder)/inner", withIntermediateDirectories: true)
    try AtomicFile.write(Data([9]), to: path)
    #expect(try Set(scratch.files) == Set(["file"] + others))
  }

  @Test func whatIsBeingWrittenStays() throws {
    let scratch = try Scratch()
    let path = "\(scratch.folder)/file"
    let folder = try AtomicFile.makePartialFolder(of: path)
    let first = try PendingFile(path)
    try first.append("first")
    // A second writer, as on a machine where processes have the same numbers.
    try AtomicFile.write(Data("second".utf8), to: path)
    #expect(FileManager.default.fileExists(atPath: folder.path))
    try first.finish()
    #expect(try content(path) == Array("first".utf8))
    close(folder.lock)
    AtomicFile.removeLeftovers(of: path)
    #expect(try scratch.files == ["file"])
  }

  @Test func impossibleTargetsAreRefused() throws {
    let scratch = try Scratch()
    let missing = scratch.folder + "/none/file"
    #expect(
      try message { try AtomicFile.write(Data([1]), to: missing) }.contains("cannot be written"))
    // A folder cannot be replaced by a file.
    let folder = try message { try AtomicFile.write(Data([1]), to: scratch.folder) }
    #expect(folder.contains("cannot be replaced"))
    #expect(try scratch.files.isEmpty)
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "there is no /dev/full"))
  func aFullDiskIsReported() throws {
    let descriptor = open("/dev/full", O_WRONLY)
    defer { close(descriptor) }
    let text = try message {
      try [UInt8](repeating: 0, count: 64).withUnsafeBytes {
        try AtomicFile.append($0, to: descriptor, path: "/dev/full")
      }
    }
    #expect(text.contains("No space left on device"))
  }
}
