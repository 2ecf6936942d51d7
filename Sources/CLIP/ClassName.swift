/// A class as a user names it.
public struct ClassName: Sendable, Equatable {
  /// The name that results show.
  public let name: String
  /// Other names of the same thing.
  public let synonyms: [String]

  /// Names a class.
  ///
  /// - Parameters:
  ///   - name: The name that results show.
  ///   - synonyms: Other names of the same thing.
  public init(_ name: String, synonyms: [String] = []) {
    self.name = name
    self.synonyms = synonyms
  }

  /// The name and its synonyms.
  public var all: [String] { [name] + synonyms }
}
