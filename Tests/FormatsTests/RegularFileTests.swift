import Foundation
import TestSupport
import Testing

@testable import Formats

/// What a reader is given instead of a file, and files that change under it.
@Suite(.timeLimit(.minutes(1)))
struct RegularFileTests {
  @Test func nothingIsWaitedFor() throws {
    let scratch = try Scratch()
    let pipe = scratch.folder + "/pipe"
    #expect(mkfifo(pipe, 0o644) == 0)
    let socket = scratch.folder + "/s"
    try bindSocket(socket)
    let kinds = [
      (pipe, "pipe"), (socket, "socket"), (scratch.folder, "folder"), ("/dev/zero", "device"),
    ]
    for (path, kind) in kinds {
      let expected = "\(path): is a \(kind), not a regular file"
      #expect(try message { try MappedFile(path: path) } == expected)
      #expect(try message { try RegularFile.contents(path) } == expected)
      #expect(try message { try JSONValue(contentsOf: path) } == expected)
      #expect(try message { try Gzip.decompress(path: path) } == expected)
      #expect(try message { try ZipArchive(path: path) } == expected)
      #expect(try message { try SHA256.hexadecimal(ofFile: path) } == expected)
      #expect(FileMark(path: path) == nil)
    }
    // A link is followed.
    let link = scratch.folder + "/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: pipe)
    #expect(try message { try RegularFile.text(link) }.contains("is a pipe"))
  }

  @Test func textsHaveALimit() throws {
    let scratch = try Scratch()
    let path = try scratch.write(Array("12345".utf8), "a.txt")
    #expect(try RegularFile.text(path, limit: 5) == "12345")
    #expect(
      try message { try RegularFile.text(path, limit: 4) }
        == "\(path): has 5 bytes, more than the 4 that such a file may have")
    try Data([0x61, 0xFF]).write(to: URL(filePath: path))
    #expect(try message { try RegularFile.text(path) }.contains("is not UTF-8 text"))
    #expect(try message { try RegularFile.text(path + "x") } == "\(path)x: no such file")
  }

  /// A mapped file that another program cuts is an error, and a second one beside it is whole.
  @Test func aFileMayBecomeShorter() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/large"
    let size = 16 << 20
    try Data(repeating: 7, count: size).write(to: URL(filePath: path))
    let other = scratch.folder + "/other"
    try Data(repeating: 9, count: size).write(to: URL(filePath: other))
    let file = try MappedFile(path: path)
    let neighbour = try MappedFile(path: other)
    #expect(file.bytes[size - 1] == 7)
    #expect(truncate(path, 4096) == 0)
    let sum = Result { try file.whole { file.bytes.reduce(0) { $0 &+ Int($1) } } }
    #expect(try message { try sum.get() } == "\(path): \(MappedFile.becameShorter)")
    #expect(throws: FormatError.self) { try file.check() }
    #expect(file.bytes[0] == 7 && file.bytes[size - 1] == 0)
    try neighbour.whole { #expect(neighbour.bytes.allSatisfy { $0 == 9 }) }
    // What the reader threw meanwhile is not the cause.
    struct Other: Error {}
    #expect(throws: FormatError.self) { try file.whole { throw Other() } }
    #expect(throws: Other.self) { try neighbour.whole { throw Other() } }
  }

  /// The rest of the page in which a file ends reads as zeros, without a signal.
  @Test func aFileMayLoseAFewBytes() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/large"
    let size = (16 << 20) + 100
    try Data(repeating: 7, count: size).write(to: URL(filePath: path))
    let file = try MappedFile(path: path)
    #expect(try file.whole { file.bytes[size - 1] } == 7)
    #expect(truncate(path, off_t(size - 50)) == 0)
    #expect(file.bytes[size - 1] == 0)
    #expect(try message { try file.check() } == "\(path): \(MappedFile.becameShorter)")
    // Another file under the same name is none of ours.
    try Data([1]).write(to: URL(filePath: path), options: .atomic)
    try file.check()
  }

  /// JSON is read to the cut and then says so, not that a character is unexpected.
  @Test func aCutTextSaysSo() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/large.json"
    let text = "[" + String(repeating: "[1,2,3],\n", count: 1 << 20) + "0]"
    try Data(text.utf8).write(to: URL(filePath: path))
    var scanner = JSONScanner(try MappedFile(path: path))
    try scanner.beginArray()
    #expect(try scanner.nextElement())
    try scanner.skipValue()
    #expect(truncate(path, 8192) == 0)
    let reason = try message { while try scanner.nextElement() { try scanner.skipValue() } }
    #expect(reason == "\(path): \(MappedFile.becameShorter)")
    var late = JSONScanner(try MappedFile(path: path))
    #expect(throws: FormatError.self) { try late.skipValue() }
  }

  private func bindSocket(_ path: String) throws {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    try #require(bytes.count < MemoryLayout.size(ofValue: address.sun_path))
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(status == 0)
  }
}
