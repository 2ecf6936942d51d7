import Foundation

/// A temporary folder that goes when the last holder does.
package final class TemporaryFolder {
  package let path: String

  /// Makes the folder.
  ///
  /// - Parameter purpose: Part of its name.
  /// - Throws: `CocoaError` when the folder for temporary files cannot be written.
  package init(_ purpose: String) throws {
    path =
      FileManager.default.temporaryDirectory.appending(
        path: "baron-\(purpose)-\(UUID().uuidString)"
      ).path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
