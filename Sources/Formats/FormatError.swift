/// A file or text whose bytes do not say what their format demands.
public struct FormatError: Error, CustomStringConvertible, Equatable {
  /// The file's path, or what the text is called.
  public let source: String
  /// Where in the file, for example "line 3, column 14" or "byte 118"; empty when it is the whole file.
  public let place: String
  /// What is wrong and what to do about it.
  public let reason: String

  /// Creates an error.
  ///
  /// - Parameters:
  ///   - source: The file's path, or what the text is called.
  ///   - place: Where in the file; empty for the whole file.
  ///   - reason: What is wrong and what to do about it.
  public init(_ source: String, place: String = "", _ reason: String) {
    self.source = source
    self.place = place
    self.reason = reason
  }

  /// One line: source, place, reason.
  public var description: String {
    place.isEmpty ? "\(source): \(reason)" : "\(source): \(place): \(reason)"
  }
}
