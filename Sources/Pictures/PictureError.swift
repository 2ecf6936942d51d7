/// Why an image file cannot be decoded, trusted or written.
public struct PictureError: Error, CustomStringConvertible, Equatable {
  /// The file's path, or what stands for it.
  public let path: String
  /// What is wrong and what to do.
  public let reason: String

  /// Creates an error.
  ///
  /// - Parameters:
  ///   - path: The file's path.
  ///   - reason: What is wrong and what to do.
  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  /// One line: file, fault, remedy.
  public var description: String { "\(path): \(reason)" }
}
