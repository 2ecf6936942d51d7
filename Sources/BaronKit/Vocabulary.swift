internal import Annotations
internal import Training

/// The names of the things to look for.
///
/// ```swift
/// let vocabulary: Vocabulary = ["cat", "traffic cone"]
/// ```
public struct Vocabulary: Sendable, ExpressibleByArrayLiteral {
  /// One thing.
  public struct Entry: Sendable, Equatable, ExpressibleByStringLiteral {
    /// The name that results show.
    public let name: String
    /// Other names of the same thing.
    public let synonyms: [String]

    /// Names a thing.
    ///
    /// - Parameters:
    ///   - name: The name that results show.
    ///   - synonyms: Other names of the same thing.
    public init(_ name: String, synonyms: [String] = []) {
      self.name = name
      self.synonyms = synonyms
    }

    /// Names a thing without synonyms.
    public init(stringLiteral name: String) { self.init(name) }
  }

  /// The things in the order given.
  public let entries: [Entry]

  /// Takes names as they are; what is wrong with them is told when a detector is made.
  ///
  /// - Parameter entries: The things.
  public init(_ entries: [Entry]) { self.entries = entries }

  /// Takes names as they are.
  ///
  /// - Parameter names: The names.
  public init(_ names: [String]) { self.init(names.map { Entry($0) }) }

  /// Takes names as they are.
  public init(arrayLiteral names: Entry...) { self.init(names) }

  /// Reads a file as `baron detect --vocabulary` does: a name on each line, or JSON.
  ///
  /// - Parameter path: The file.
  /// - Throws: ``BaronError`` with the place of what is wrong.
  public init(contentsOf path: String) throws(BaronError) {
    let classes = try BaronError.wrapping { try VocabularyNames(file: path).classes }
    self.init(classes.map { Entry($0.name, synonyms: $0.synonyms) })
  }

  /// The checked names.
  func checked() throws -> VocabularyNames {
    try VocabularyNames(
      entries.map { ClassName($0.name, synonyms: $0.synonyms) }, source: "vocabulary")
  }
}
