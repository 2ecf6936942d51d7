import Foundation

/// Failures of a disk that may be over in a moment, as on a network file system.
package enum PassingFailure {
  private static let pauses = [0.05, 0.25, 1]

  /// Reads a file, and again when that fails though the file is there.
  ///
  /// - Parameters:
  ///   - path: The file's path.
  ///   - body: Reads it; only its ``FormatError`` says that the file could not be read.
  /// - Throws: What `body` throws at last.
  package static func retrying<Result>(_ path: String, _ body: () throws -> Result) throws -> Result
  {
    for pause in pauses {
      do {
        return try body()
      } catch let error as FormatError {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, access(path, R_OK) == 0
        else { throw error }
        Thread.sleep(forTimeInterval: pause)
      }
    }
    return try body()
  }
}
