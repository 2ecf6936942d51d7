import Foundation

/// Why an image file cannot be decoded, trusted or written.
package struct PictureError: Error, CustomStringConvertible, Equatable {
  /// The kind of the fault, for counting; the description says it all.
  package enum Cause: String, Sendable, CaseIterable {
    case missing
    case unreadable = "not readable"
    case otherSize = "of another size than the record says"
    case nameless = "without a name"
  }

  /// The file's path, or what stands for it.
  package let path: String
  /// What is wrong and what to do.
  package let reason: String
  /// The kind of the fault.
  package let cause: Cause

  package init(path: String, reason: String, cause: Cause = .unreadable) {
    self.path = path
    self.reason = reason
    self.cause = cause
  }

  /// A file that cannot be opened.
  init(unreadable path: String, reason: String) {
    var status = stat()
    let isMissing = stat(path, &status) != 0 && errno == ENOENT
    self.init(path: path, reason: reason, cause: isMissing ? .missing : .unreadable)
  }

  /// One line: file, fault, remedy.
  package var description: String { "\(path): \(reason)" }
}
