import Foundation
import Synchronization

/// Other implementations of the same mathematics in Python, for machines that have them.
///
/// Tests that compare with them are enabled by ``python(importing:)`` and otherwise show as skipped.
package enum PeerPython {
  /// The Python that is used: `$BARON_PYTHON`, else `python3` on the path.
  package static let command: String = {
    let chosen = ProcessInfo.processInfo.environment["BARON_PYTHON"] ?? ""
    return chosen.isEmpty ? "python3" : chosen
  }()

  /// Why a test that needs Python shows as skipped.
  ///
  /// - Parameter modules: What the test imports.
  /// - Returns: One line with the remedy.
  package static func missing(_ modules: [String]) -> String {
    "\(command) does not import \(modules.joined(separator: ", ")): set BARON_PYTHON"
  }

  private static let probes = Mutex<[[String]: Bool]>([:])

  /// The Python that is used, if it can import all of the modules; each set is tried once.
  ///
  /// - Parameter modules: Names of modules.
  /// - Returns: The command, or nil when there is no Python or a module is missing.
  package static func python(importing modules: [String]) -> String? {
    let found = probes.withLock { probes in
      if let known = probes[modules] { return known }
      let result = try? start(["-c", "import \(modules.joined(separator: ", "))"])
      let found = result?.status == 0
      probes[modules] = found
      return found
    }
    return found ? command : nil
  }

  /// Runs a script of `Tests/Peers` to its end.
  ///
  /// - Parameters:
  ///   - script: The file's name in that folder.
  ///   - arguments: What the script gets.
  /// - Returns: What it printed to standard output and standard error.
  /// - Throws: ``Failure`` with all that it printed when it fails; an error of Foundation when Python
  ///   cannot be started.
  @discardableResult
  package static func run(script: String, arguments: [String] = []) throws -> String {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Peers").path
    let result = try start(["\(folder)/\(script)"] + arguments)
    guard result.status == 0 else {
      throw Failure(script: script, status: result.status, output: result.output)
    }
    return result.output
  }

  /// A script that did not end well.
  package struct Failure: Error, CustomStringConvertible {
    /// The script's name.
    package let script: String
    /// Its exit status.
    package let status: Int32
    /// All that it printed.
    package let output: String

    /// The script, its status and its output.
    package var description: String { "\(script) ended with status \(status):\n\(output)" }
  }

  private static func start(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [command] + arguments
    process.standardInput = FileHandle.nullDevice
    // A file, not a pipe: a full pipe would stop the script.
    let folder = try TemporaryFolder()
    let file = try folder.write("", "output")
    let handle = try FileHandle(forWritingTo: URL(filePath: file))
    process.standardOutput = handle
    process.standardError = handle
    try process.run()
    process.waitUntilExit()
    try handle.close()
    let output = String(decoding: try Data(contentsOf: URL(filePath: file)), as: UTF8.self)
    return (process.terminationStatus, output)
  }
}
