/// A file or text whose bytes do not say what their format demands.
package struct FormatError: Error, CustomStringConvertible, Equatable {
  /// The file's path, or what the text is called.
  package let source: String
  /// Where in the file, for example "line 3, column 14" or "byte 118"; empty when it is the whole file.
  package let place: String
  /// What is wrong and what to do about it.
  package let reason: String

  package init(_ source: String, place: String = "", _ reason: String) {
    self.source = source
    self.place = place
    self.reason = reason
  }

  /// One line: source, place, reason.
  package var description: String {
    place.isEmpty ? "\(source): \(reason)" : "\(source): \(place): \(reason)"
  }
}
