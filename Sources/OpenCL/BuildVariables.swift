import Foundation

/// What the environment asks of a driver's compiler, for whoever looks into one.
enum BuildVariables {
  /// Options behind those of every program, from `BARON_BUILD_OPTIONS`, with a blank in front; part of
  /// the key in the cache.
  static let extraOptions: String = {
    let text = ProcessInfo.processInfo.environment["BARON_BUILD_OPTIONS"] ?? ""
    return text.isEmpty ? "" : " \(text)"
  }()
}
