import Foundation

/// A folder that is gone when the test ends.
public final class TemporaryFolder {
  /// The folder's path.
  public let path: String

  /// Creates an empty folder.
  ///
  /// - Throws: What creating a folder throws.
  public init() throws {
    path = FileManager.default.temporaryDirectory.path + "/baron-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a text file.
  ///
  /// - Parameters:
  ///   - name: Its name in the folder.
  ///   - text: Its text.
  /// - Returns: Its path.
  /// - Throws: What writing throws.
  public func file(_ name: String, _ text: String) throws -> String {
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    return "\(path)/\(name)"
  }
}
