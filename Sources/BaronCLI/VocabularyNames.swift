import CLIP
import Formats
import Foundation

/// The classes that a user names, and where each was written.
struct VocabularyNames {
  /// A class with a number that tells where it was written.
  struct Entry {
    let name: ClassName
    let place: Int
  }

  /// The file, or the option that held the names.
  let source: String
  /// The classes in the user's order.
  var classes: [ClassName] { entries.map(\.name) }
  private let entries: [Entry]
  private let describe: (Int) -> String

  /// Checks classes.
  ///
  /// - Parameters:
  ///   - entries: The classes.
  ///   - source: What errors call the place that they come from.
  ///   - describe: Where in it an entry was written, in words.
  /// - Throws: `DetectError` when there is none, a name is empty or two classes share one.
  init(_ entries: [Entry], source: String, describe: @escaping (Int) -> String) throws {
    if entries.allSatisfy({ entry in entry.name.all.allSatisfy { Self.key($0).isEmpty } }) {
      throw DetectError.noNames(source: source)
    }
    var known: [String: String] = [:]
    for entry in entries {
      for name in entry.name.all {
        let key = Self.key(name)
        guard !key.isEmpty else {
          throw DetectError.emptyName(source: source, place: describe(entry.place))
        }
        if let first = known.updateValue(name, forKey: key) {
          throw DetectError.sameName(
            source: source, place: describe(entry.place), first: first, second: name)
        }
      }
    }
    self.source = source
    self.entries = entries
    self.describe = describe
  }

  /// Takes what `--vocabulary` holds: a file when there is one of that name, else names with commas
  /// between.
  ///
  /// - Parameters:
  ///   - text: The option's value.
  ///   - option: What errors call it.
  /// - Throws: `DetectError` or `FormatError` with the place of what is wrong.
  init(_ text: String, option: String) throws {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: text, isDirectory: &isFolder), !isFolder.boolValue {
      try self.init(file: text)
      return
    }
    guard ![".json", ".txt"].contains(where: text.hasSuffix) else {
      throw DetectError.noFile(path: text)
    }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    try self.init(
      parts.enumerated().map { Entry(name: ClassName(Self.trimmed($1)), place: $0 + 1) },
      source: option
    ) { "name \($0)" }
  }

  /// Reads a file: JSON when it starts with a bracket, else a name on each line; blank lines and lines
  /// that start with # do not count.
  ///
  /// - Parameter path: The file.
  /// - Throws: `DetectError` or `FormatError` with the place of what is wrong.
  init(file path: String) throws {
    let file = try MappedFile(path: path)
    if path.hasSuffix(".json") || VocabularyJSON.isJSON(file.bytes) {
      try self.init(try VocabularyJSON.entries(file), source: path) {
        JSONScanner(file, at: $0).error("").place
      }
      return
    }
    guard let text = String(validating: file.bytes, as: UTF8.self) else {
      throw DetectError.unreadableFile(path: path)
    }
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    let entries = lines.enumerated().filter { _, line in
      !line.allSatisfy(\.isWhitespace) && !line.hasPrefix("#")
    }
    try self.init(
      entries.map { Entry(name: ClassName(Self.trimmed($1)), place: $0 + 1) }, source: path
    ) { "line \($0)" }
  }

  /// Runs what encodes the names; a name that is too long is told with its place.
  ///
  /// - Parameter body: Encodes the names.
  /// - Returns: What `body` returns.
  /// - Throws: `DetectError` for a name that is too long; what `body` throws.
  func explaining<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as TokenizerError {
      guard case .nameTooLong(let name, _, _) = error,
        let entry = entries.first(where: { $0.name.all.contains(name) })
      else { throw error }
      throw DetectError.longName(
        source: source, place: describe(entry.place), reason: "\(error)")
    }
  }

  /// What the prompts make of a name counts: "Cat." and "cat" are one class.
  static func key(_ name: String) -> String { trimmed(PromptTemplates.normalised(name)) }

  private static func trimmed(_ text: some StringProtocol) -> String {
    text.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
