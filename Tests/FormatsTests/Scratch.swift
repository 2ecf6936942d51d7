import Formats
import Foundation
import Testing

/// Files for one test, removed with it.
final class Scratch {
  let folder: String

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func write(_ bytes: [UInt8], _ name: String = "file") throws -> String {
    let path = "\(folder)/\(name)"
    try Data(bytes).write(to: URL(filePath: path))
    return path
  }

  var files: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }
  }
}

/// The one-line message of the error that a function must throw.
func message<Result>(of body: () throws -> Result) throws -> String {
  let error = #expect(throws: FormatError.self) { _ = try body() }
  let text = "\(try #require(error))"
  #expect(!text.contains("\n"))
  return text
}
