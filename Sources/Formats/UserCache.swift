import Foundation

/// The folder for what can be made again: compiled kernels, tuning records, indexes of annotations,
/// embeddings of class names.
package enum UserCache {
  /// A folder below `$BARON_CACHE`, else below `baron` in `$XDG_CACHE_HOME` or `~/.cache`.
  ///
  /// - Parameter name: What is kept in it.
  /// - Returns: The folder's path, which need not exist; nil when `BARON_CACHE` is `off`.
  package static func folder(_ name: String) -> String? {
    let environment = ProcessInfo.processInfo.environment
    if let chosen = environment["BARON_CACHE"], !chosen.isEmpty {
      return chosen == "off" ? nil : "\(chosen)/\(name)"
    }
    let base =
      environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 }
      ?? NSHomeDirectory() + "/.cache"
    return "\(base)/baron/\(name)"
  }
}
