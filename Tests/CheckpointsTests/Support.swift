import Checkpoints
import Formats
import Foundation
import TestSupport
import Testing

/// Where the fixtures and the shared data are.
enum Fixtures {
  static let shared = Fixture.sharedFolder
  static let root = Fixture.folder
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
