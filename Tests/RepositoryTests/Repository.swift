import Foundation

/// The files of this repository, for tests of what is written about them.
enum Repository {
  /// The repository's folder.
  static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// A file's text.
  ///
  /// - Parameter path: Its path in the repository.
  /// - Returns: The text.
  /// - Throws: When there is no such text file.
  static func text(_ path: String) throws -> String {
    try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
  }

  /// All files below some folders.
  ///
  /// - Parameters:
  ///   - folders: Paths in the repository.
  ///   - endings: What their names end in.
  /// - Returns: Paths in the repository, sorted.
  static func files(below folders: [String], endings: [String]) -> [String] {
    folders.flatMap { root -> [String] in
      let found = FileManager.default.enumerator(atPath: folder.appendingPathComponent(root).path)
      let names = (found?.allObjects as? [String]) ?? []
      return names.filter { name in endings.contains { name.hasSuffix($0) } }.map {
        "\(root)/\($0)"
      }
    }.sorted()
  }
}
