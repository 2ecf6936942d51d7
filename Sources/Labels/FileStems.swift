import Foundation

/// Names of files that belong to pictures, each given once.
struct FileStems {
  private var used: Set<String> = []

  /// A name for the file of a picture.
  ///
  /// - Parameter picture: The picture's path.
  /// - Returns: The picture's name without ending, with a number where it was given before.
  mutating func stem(of picture: String) -> String {
    let stem = URL(filePath: picture).deletingPathExtension().lastPathComponent
    var name = stem
    var number = 1
    while !used.insert(name).inserted {
      number += 1
      name = "\(stem)-\(number)"
    }
    return name
  }

  /// Makes a folder for such files.
  ///
  /// - Parameter path: The folder.
  /// - Throws: An error of Foundation when it cannot be made.
  static func make(_ path: String) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
}
