import Foundation

/// A folder for temporary files that goes when its last holder does.
package final class TemporaryFolder: Sendable {
  /// The folder's path.
  package let path: String

  /// Makes an empty folder.
  ///
  /// - Parameter purpose: Part of its name.
  /// - Throws: `CocoaError` when the folder for temporary files cannot be written.
  package init(_ purpose: String) throws {
    let name = "baron-\(purpose)-\(UUID().uuidString)"
    path = FileManager.default.temporaryDirectory.appending(path: name).path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
