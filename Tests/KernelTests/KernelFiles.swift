import Foundation
import Testing

/// The folder `Kernels/` of this checkout.
enum KernelFiles {
  /// The folder's path: beside this file's package, else in the working folder.
  static let folder: String = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let beside = root.appendingPathComponent("Kernels").path
    return FileManager.default.fileExists(atPath: beside) ? beside : "Kernels"
  }()

  /// All kernel files and headers by path below the folder, sorted.
  ///
  /// - Throws: When the folder cannot be read.
  static func paths() throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: folder)
      .filter { $0.hasSuffix(".cl") || $0.hasSuffix(".clh") }.sorted()
  }

  /// A file's text.
  ///
  /// - Parameter path: The path below the folder.
  /// - Returns: The text.
  /// - Throws: When the file cannot be read.
  static func text(_ path: String) throws -> String {
    try String(contentsOfFile: "\(folder)/\(path)", encoding: .utf8)
  }
}
