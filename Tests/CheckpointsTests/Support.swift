import Checkpoints
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
}

/// Where the fixtures and the shared data are.
enum Fixtures {
  static let shared: String = {
    if let folder = ProcessInfo.processInfo.environment["BARON_SHARED"] { return folder }
    let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return package.deletingLastPathComponent().appending(path: "shared").path
  }()
  static let root = ProcessInfo.processInfo.environment["BARON_FIXTURES"] ?? shared + "/fixtures"
  static let clipFolder = root + "/clip_tiny/hf"
  static let clipPickle = root + "/clip_tiny/openai_style.pth"
  static let metadata = shared + "/data/metadata"
  /// A Python interpreter that has torch and torchvision, or nil.
  static let python = ProcessInfo.processInfo.environment["BARON_PYTHON"]
  static func exist(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}

/// The one-line message of the error that a function must throw.
func message<Result>(of body: () throws -> Result) throws -> String {
  let error = #expect(throws: CheckpointError.self) { _ = try body() }
  let text = "\(try #require(error))"
  #expect(!text.contains("\n"))
  return text
}
