import Formats
import Foundation

/// A folder that goes when the test ends.
package typealias TemporaryFolder = Formats.TemporaryFolder

/// The same by another name.
package typealias Scratch = TemporaryFolder

extension TemporaryFolder {
  /// Makes an empty folder.
  package convenience init() throws { try self.init("test") }

  /// The folder's path.
  package var folder: String { path }

  /// The names of the files in it, sorted.
  package var files: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
  }

  /// Writes a file and gives its path.
  ///
  /// - Parameters:
  ///   - bytes: Its content.
  ///   - name: Its name in the folder.
  /// - Returns: Its path.
  package func write(_ bytes: some Sequence<UInt8>, _ name: String = "file") throws -> String {
    try Data(bytes).write(to: URL(filePath: "\(path)/\(name)"))
    return "\(path)/\(name)"
  }

  /// Writes a text file and gives its path.
  ///
  /// - Parameters:
  ///   - text: Its content.
  ///   - name: Its name in the folder.
  /// - Returns: Its path.
  package func write(_ text: String, _ name: String) throws -> String {
    try write(text.utf8, name)
  }

  /// Writes a text file and gives its path.
  ///
  /// - Parameters:
  ///   - name: Its name in the folder.
  ///   - text: Its content.
  /// - Returns: Its path.
  package func file(_ name: String, _ text: String) throws -> String { try write(text, name) }
}
