import Formats
import Foundation
import Testing

/// What compilers said before, in the folder that `BARON_COMPILED_BEFORE` names, so that only what has
/// changed is compiled anew.
///
/// The folder is for one version of the tools. What is kept are their words, not what became of them
/// here; a source that was refused is compiled again each time.
enum CompilationMemory {
  private static let folder: String? =
    ProcessInfo.processInfo.environment["BARON_COMPILED_BEFORE"].flatMap { $0.isEmpty ? nil : $0 }

  /// A compiler's words.
  ///
  /// - Parameters:
  ///   - parts: All that they depend on: arguments, and texts or digests of files.
  ///   - make: Compiles.
  /// - Returns: The words, and whether they are from before.
  /// - Throws: What `make` throws, or an error when the folder cannot be written.
  static func words(of parts: [String], _ make: () throws -> String) throws -> (String, kept: Bool)
  {
    guard let folder else { return (try make(), false) }
    let path = "\(folder)/\(digest(parts))"
    if let words = try? String(contentsOfFile: path, encoding: .utf8) {
      // What is not asked for any more can be told by its time.
      utimes(path, nil)
      return (words, true)
    }
    let words = try make()
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try AtomicFile.write(Data(words.utf8), to: path)
    return (words, false)
  }

  /// A digest of texts, in their order.
  static func digest(_ parts: [String]) -> String {
    var digest = SHA256()
    for part in parts {
      digest.update("\(part.utf8.count)\n")
      digest.update(part)
    }
    return digest.hexadecimal()
  }
}
