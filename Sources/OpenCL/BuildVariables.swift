import Formats
import Foundation

/// What the environment asks of a driver's compiler, for whoever looks into one.
enum BuildVariables {
  /// Options behind those of every program, from `BARON_BUILD_OPTIONS`, with a blank in front; part of
  /// the key in the cache.
  static let extraOptions: String = {
    let text = ProcessInfo.processInfo.environment["BARON_BUILD_OPTIONS"] ?? ""
    return text.isEmpty ? "" : " \(text)"
  }()

  /// The option that leaves warnings out, unless logs are kept.
  ///
  /// PoCL prints their number to standard error, between the program's lines. No part of the key in
  /// the cache, as it changes no code.
  static var silence: String { logFolder.isEmpty ? " -w" : "" }

  private static let logFolder = ProcessInfo.processInfo.environment["BARON_BUILD_LOGS"] ?? ""

  /// Keeps what the compiler said of a program in the folder `BARON_BUILD_LOGS`, a file for each set of
  /// options, with the options in its first line.
  ///
  /// - Parameters:
  ///   - log: The compiler's words.
  ///   - program: The program's name.
  ///   - options: The options.
  static func keep(_ log: String, program: String, options: String) {
    guard !logFolder.isEmpty else { return }
    var digest = SHA256()
    digest.update(options)
    let name = program.replacing("/", with: "_") + "-" + digest.hexadecimal().prefix(12)
    try? FileManager.default.createDirectory(
      atPath: logFolder, withIntermediateDirectories: true)
    try? AtomicFile.write(Data("\(options)\n\(log)\n".utf8), to: "\(logFolder)/\(name).log")
  }
}
