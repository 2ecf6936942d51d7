import Formats
import Foundation
import OpenCL

/// The file `run.json` of a run: for each session that trained in it the program, the machine, the
/// command, and when it began and ended.
package struct RunRecord {
  /// How a session ended.
  package enum Outcome {
    /// All iterations are done.
    case finished
    /// The user stopped it.
    case stopped
    /// An error ended it.
    case failed(String)

    fileprivate var text: String {
      switch self {
      case .finished: "finished"
      case .stopped: "stopped"
      case .failed(let reason): "failed: \(reason)"
      }
    }
  }

  private let path: String
  private var sessions: [JSONValue]
  private var current: [String: JSONValue]

  /// Begins a session and writes it down.
  ///
  /// - Parameters:
  ///   - path: The file; what it says of earlier sessions stays.
  ///   - version: The program's version and commit.
  ///   - command: The command line.
  ///   - device: The device.
  package init(path: String, version: String, command: [String], device: Device) {
    self.path = path
    sessions = (try? JSONValue(contentsOf: path))?["sessions"]?.array ?? []
    let process = ProcessInfo.processInfo
    current = [
      "version": .string(version), "command": .string(Self.shell(command)),
      "folder": .string(FileManager.default.currentDirectoryPath),
      "host": .string(Machine.name), "system": .string(process.operatingSystemVersionString),
      "processors": .number(Double(Cores.usable)),
      "device": .string(device.name), "platform": .string(device.platformName),
      "driver": .string(device.driver), "opencl": .string(device.version),
      "device_memory_bytes": .number(Double(device.memoryInBytes)),
      "started": .string(RunLog.time()), "ended": .null, "outcome": .null,
    ]
    write()
  }

  /// Notes where the session goes on.
  ///
  /// - Parameter iteration: Iterations that were done before.
  package mutating func begin(at iteration: Int) {
    current["first_iteration"] = .number(Double(iteration))
    write()
  }

  /// Ends the session.
  ///
  /// - Parameters:
  ///   - outcome: How.
  ///   - iterations: Iterations that are done.
  package mutating func end(_ outcome: Outcome, iterations: Int) {
    current["ended"] = .string(RunLog.time())
    current["outcome"] = .string(outcome.text)
    current["iterations_done"] = .number(Double(iterations))
    write()
  }

  /// A record that cannot be written is none of the training's business.
  private func write() {
    let document: JSONValue = ["sessions": .array(sessions + [.object(current)])]
    try? AtomicFile.write(Foundation.Data((document.text(pretty: true) + "\n").utf8), to: path)
  }

  /// A command as it is typed: arguments with other than plain characters in quotes.
  private static func shell(_ arguments: [String]) -> String {
    let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@%+")
    return arguments.map { argument in
      !argument.isEmpty && argument.allSatisfy(plain.contains)
        ? argument : "'" + argument.replacing("'", with: "'\\''") + "'"
    }.joined(separator: " ")
  }
}
