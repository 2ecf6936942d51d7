import CLIP
import Foundation

/// Reads the names that a user looks for.
enum VocabularyNames {
  /// Reads names with commas between.
  ///
  /// - Parameters:
  ///   - text: The text.
  ///   - source: What errors call it.
  /// - Returns: The names in their order.
  /// - Throws: `DetectError` when there is none, one is empty or two are the same.
  static func parse(_ text: String, source: String) throws -> [String] {
    try check(text.split(separator: ",", omittingEmptySubsequences: false), source)
  }

  /// Reads a file with a name on each line; blank lines and lines that start with # do not count.
  ///
  /// - Parameter path: The file.
  /// - Returns: The names in their order.
  /// - Throws: `DetectError` as ``parse(_:source:)``, or when the file cannot be read.
  static func read(_ path: String) throws -> [String] {
    guard let bytes = FileManager.default.contents(atPath: path),
      let text = String(validating: bytes, as: UTF8.self)
    else { throw DetectError.unreadableFile(path: path) }
    let lines = text.split(whereSeparator: \.isNewline).filter {
      !$0.allSatisfy(\.isWhitespace) && !$0.hasPrefix("#")
    }
    return try check(lines, path)
  }

  private static func check(_ parts: [Substring], _ source: String) throws -> [String] {
    let names = parts.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    if names.allSatisfy(\.isEmpty) { throw DetectError.noNames(source: source) }
    var known: [String: String] = [:]
    for (index, name) in names.enumerated() {
      // What the prompts make of a name counts: "Cat." and "cat" are one class.
      let key = PromptTemplates.normalised(name).trimmingCharacters(in: .whitespaces)
      guard !key.isEmpty else { throw DetectError.emptyName(source: source, place: index + 1) }
      if let first = known.updateValue(name, forKey: key) {
        throw DetectError.sameName(source: source, first: first, second: name)
      }
    }
    return names
  }
}
