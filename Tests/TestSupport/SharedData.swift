import Foundation

/// The small real data sets that lie outside the package.
package enum SharedData {
  /// The folder that holds them.
  package static let root = Fixture.sharedFolder + "/data"

  /// Whether a data set is there; suites are enabled by it and otherwise show as skipped.
  ///
  /// - Parameter folder: Its folder below ``root``.
  /// - Returns: True if so.
  package static func has(_ folder: String) -> Bool {
    FileManager.default.fileExists(atPath: "\(root)/\(folder)")
  }
}
