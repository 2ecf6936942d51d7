import Formats
import Foundation
import Synchronization

/// What a driver's compiler says of programs, kept in a folder instead of shown.
package enum BuildLogs {
  private static let wanted = ProcessInfo.processInfo.environment["BARON_BUILD_LOGS"] ?? ""

  /// The folder: `BARON_BUILD_LOGS`, else one of the cache; nil without either.
  package static var folder: String? {
    wanted.isEmpty ? UserCache.folder("build-logs") : wanted
  }

  /// Keeps what was said of a program, a file for each set of options with the options in its first line.
  ///
  /// Without `BARON_BUILD_LOGS` only what the compiler said unasked is worth a file.
  ///
  /// - Parameters:
  ///   - log: The program's build log.
  ///   - remarks: What the compiler wrote to standard error.
  ///   - program: The program's name.
  ///   - options: The options.
  static func keep(_ log: String, remarks: String, program: String, options: String) {
    if !remarks.isEmpty { ProgramCount.remarked.wrappingAdd(1, ordering: .relaxed) }
    guard let folder, !wanted.isEmpty || !remarks.isEmpty else { return }
    var digest = SHA256()
    digest.update(options)
    let name = program.replacing("/", with: "_") + "-" + digest.hexadecimal().prefix(12)
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try? AtomicFile.write(
      Data("\(options)\n\(log)\n\(remarks)".utf8), to: "\(folder)/\(name).log")
  }
}
