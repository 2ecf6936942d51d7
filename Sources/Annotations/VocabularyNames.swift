import Formats
import Foundation

/// The classes that a user names, and where each was written.
package struct VocabularyNames: Sendable {
  /// A class with a number that tells where it was written.
  struct Entry: Sendable {
    let name: ClassName
    let place: Int
  }

  /// The file, or the option that held the names.
  package let source: String
  /// The classes in the user's order.
  package var classes: [ClassName] { entries.map(\.name) }
  private let entries: [Entry]
  /// Where an entry was written, in words; a scan of the file, so that errors alone ask.
  private let describe: @Sendable (Int) -> String

  /// Checks classes; `describe` says in words where an entry was written.
  init(
    _ entries: [Entry], source: String, describe: @escaping @Sendable (Int) -> String
  ) throws {
    func fault(_ entry: Entry?, _ reason: String) -> DatasetError {
      .record(
        file: source, place: entry.map { describe($0.place) } ?? "", field: "", reason: reason)
    }
    guard entries.contains(where: { $0.name.all.contains { !Self.key($0).isEmpty } }) else {
      throw fault(nil, "holds no names; write one or more")
    }
    var known: [String: String] = [:]
    for entry in entries {
      for name in entry.name.all {
        let key = Self.key(name)
        guard !key.isEmpty else {
          throw fault(entry, "the name is empty; remove the extra comma or write a name")
        }
        guard !name.unicodeScalars.contains("\0") else {
          throw fault(entry, "the name holds a zero byte; restore the file, this is no text")
        }
        guard let first = known.updateValue(name, forKey: key) else { continue }
        throw fault(
          entry,
          first == name
            ? "\"\(first)\" is given twice; give each name once"
            : "\"\(first)\" and \"\(name)\" mean the same to the text encoder; give one")
      }
    }
    self.source = source
    self.entries = entries
    self.describe = describe
  }

  /// What CLIP will make of names that English captions do not have.
  ///
  /// - Parameter names: The names.
  /// - Returns: A warning of one line, or nil.
  package static func warning(of names: [String]) -> String? {
    let other = names.filter { name in
      name.unicodeScalars.contains { !$0.isASCII && $0.properties.isAlphabetic }
    }
    guard let first = other.first else { return nil }
    return "\"\(first)\"\(other.count > 1 ? " and \(other.count - 1) more" : ""): a CLIP that "
      + "learned from English captions hardly knows such words; give English names"
  }

  /// Takes what an option holds: a file when there is one of that name, else names with commas between.
  ///
  /// - Parameters:
  ///   - text: The option's value.
  ///   - option: What errors call it.
  /// - Throws: ``DatasetError`` with the place of what is wrong.
  package init(_ text: String, option: String) throws {
    // Of the name itself: a link that leads nowhere is meant to be a file.
    let type = try? FileManager.default.attributesOfItem(atPath: text)[.type] as? FileAttributeType
    var isFolder: ObjCBool = false
    let isThere = FileManager.default.fileExists(atPath: text, isDirectory: &isFolder)
    if isThere && !isFolder.boolValue || !isThere && type == .typeSymbolicLink {
      try self.init(file: text)
      return
    }
    guard ![".json", ".txt", ".gz"].contains(where: text.hasSuffix) else {
      throw DatasetError.record(
        file: text, place: "", field: "",
        reason: (isThere ? "is a folder" : "no such file")
          + "; give a text file with one name on each line, a JSON file, or the names "
          + "with commas between")
    }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    try self.init(
      parts.enumerated().map {
        Entry(name: ClassName(String($1).trimmingBlanks()), place: $0 + 1)
      },
      source: option
    ) { "name \($0)" }
  }

  /// Takes classes as they are.
  ///
  /// - Parameters:
  ///   - classes: The classes.
  ///   - source: What errors call them.
  /// - Throws: ``DatasetError`` when there are none, or a name is empty or stands twice.
  package init(_ classes: [ClassName], source: String) throws {
    try self.init(
      classes.enumerated().map { Entry(name: $1, place: $0 + 1) }, source: source
    ) { "name \($0)" }
  }

  /// Reads a file: JSON when it starts with a bracket, else a name on each line; blank lines and lines
  /// that start with # do not count.
  ///
  /// - Parameter path: The file.
  /// - Throws: ``DatasetError`` with the place of what is wrong.
  package init(file path: String) throws {
    let file = try RecordCursor.open(path)
    if path.hasSuffix(".json") || VocabularyJSON.isJSON(file.bytes) {
      try self.init(VocabularyJSON.entries(file), source: path) {
        JSONScanner(file, at: $0).error("").place
      }
      return
    }
    guard let text = String(validating: file.bytes, as: UTF8.self) else {
      throw DatasetError.record(
        file: path, place: "", field: "",
        reason: "cannot be read as text; give a UTF-8 file with one name on each line")
    }
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    let entries = lines.enumerated().map { number, line in
      Entry(name: ClassName(String(line).trimmingBlanks()), place: number + 1)
    }
    try self.init(
      entries.filter { !$0.name.name.isEmpty && !$0.name.name.hasPrefix("#") }, source: path
    ) { "line \($0)" }
  }

  /// The names of the categories of annotations by ascending id, without synonyms, as data sets are
  /// trained.
  ///
  /// - Parameter path: The annotations.
  /// - Throws: ``DatasetError`` when there are none, or a name stands twice.
  package init(categoriesOf path: String) throws {
    let file = try RecordCursor.open(path)
    guard let entries = try VocabularyJSON.categories(file), !entries.isEmpty else {
      throw DatasetError.record(
        file: path, place: "", field: "categories",
        reason: "is empty or missing; give a COCO or LVIS annotation file")
    }
    try self.init(
      entries.map { Entry(name: ClassName($0.name.name), place: $0.place) }, source: path
    ) { JSONScanner(file, at: $0).error("").place }
  }

  /// The error of a name that something else cannot take.
  ///
  /// - Parameters:
  ///   - name: A name or synonym.
  ///   - reason: What is wrong and what to do.
  /// - Returns: The error with the name's place, or nil for a name that is not among them.
  package func fault(of name: String, reason: String) -> DatasetError? {
    entries.first { $0.name.all.contains(name) }.map {
      .record(file: source, place: describe($0.place), field: "", reason: reason)
    }
  }

  /// What the prompts make of a name counts: "Cat." and "cat" are one class.
  static func key(_ name: String) -> String { ClassName.plain(name).trimmingBlanks() }
}
