import Formats
import Foundation
import TestSupport
import Testing

@Suite struct TemporaryFolderTests {
  private let scratch: Scratch
  private let parent: URL
  private let machine = Machine.namePart

  init() throws {
    scratch = try Scratch()
    parent = URL(filePath: scratch.path)
  }

  private func folder() throws -> TemporaryFolder {
    // Without grace: what was made just now counts as old.
    try TemporaryFolder("x", in: parent, grace: -2)
  }

  private func make(_ name: String) throws -> String {
    let path = parent.appending(path: name)
    try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
    try Data([1]).write(to: path.appending(path: "file"))
    return name
  }

  @Test func itGoesWithItsLastHolder() throws {
    do {
      let first = try folder()
      try Data([1]).write(to: URL(filePath: "\(first.path)/file"))
      let second = try folder()
      // What is held stays, though it could be old.
      #expect(try scratch.files.count == 2 && first.path != second.path)
    }
    #expect(try scratch.files.isEmpty)
  }

  @Test func whatAKilledProcessLeftIsRemoved() throws {
    _ = try make("baron-steps-\(machine)-\(UUID().uuidString)")
    let others = try [
      make("baron-steps"), make("baron-\(machine)-\(UUID().uuidString.dropLast())"),
      make("other-steps-\(machine)-\(UUID().uuidString)"),
    ]
    let file = try scratch.write("", "baron-file-\(machine)-\(UUID().uuidString)")
    let link = "baron-link-\(machine)-\(UUID().uuidString)"
    try FileManager.default.createSymbolicLink(
      atPath: "\(scratch.path)/\(link)", withDestinationPath: "other")
    let own = try folder()
    let names = [own.path, file].map { URL(filePath: $0).lastPathComponent } + others + [link]
    #expect(try scratch.files == names.sorted())
  }

  @Test func whatOtherMachinesMadeIsTheirs() throws {
    // Their locks may not hold here.
    let names =
      try ["another", "a\(machine)", "\(machine)b", ""].map {
        try make("baron-steps-\($0)-\(UUID().uuidString)")
      } + [make("baron-steps-\(UUID().uuidString)")]
    let own = try folder()
    #expect(try Set(scratch.files) == Set(names + [URL(filePath: own.path).lastPathComponent]))
  }

  @Test func aFolderThatIsBeingMadeIsNotTouched() throws {
    let name = try make("baron-steps-\(machine)-\(UUID().uuidString)")
    let own = try TemporaryFolder("x", in: parent)
    #expect(try scratch.files.contains(name) && own.path.hasPrefix(scratch.path))
  }
}
