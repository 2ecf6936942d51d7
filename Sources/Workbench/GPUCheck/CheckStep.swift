import Formats
import Foundation

/// One command of the program that `baron gpu-check` runs in a process of its own.
package struct CheckStep {
  /// The command's name.
  package let name: String
  let arguments: [String]
  /// Where it writes its numbers; nil when they are its standard output.
  let file: String?
  /// Its share of the time, beside those of the others.
  package let share: Double

  package init(name: String, arguments: [String], file: String? = nil, share: Double) {
    self.name = name
    self.arguments = arguments
    self.file = file
    self.share = share
  }

  /// What a step left.
  package struct Result {
    package let step: CheckStep
    /// The exit status; 128 and the signal when it was ended by one.
    package let status: Int32
    package let timedOut: Bool
    package let seconds: Double
    package let output, errors: String
    /// What it measured: a document, or a list of lines; null when it left none.
    package let value: JSONValue

    package var isGood: Bool { status == 0 && !timedOut }

    package var json: JSONValue {
      [
        "name": .string(step.name),
        "command": .string((["baron"] + step.arguments).joined(separator: " ")),
        "status": .number(Double(status)), "timed_out": .bool(timedOut),
        "seconds": .number(seconds), "output": value == .null ? .string(output) : .null,
        "errors": .string(errors), "result": value,
      ]
    }
  }

  /// Characters of an output that are kept, its end.
  private static let keptCharacters = 100_000

  /// Runs the command and waits for it, so long as the limit lasts.
  ///
  /// - Parameters:
  ///   - program: The program's path.
  ///   - folder: Where its output is put meanwhile.
  ///   - environment: Variables beside those of this process.
  ///   - limit: Seconds after which it is killed.
  /// - Returns: What it left.
  /// - Throws: `FormatError` when the program cannot be started.
  package func run(
    program: String, folder: String, environment: [String: String], limit: Double
  ) throws -> Result {
    // Files, not pipes: a full pipe would stop the program.
    func open(_ suffix: String) throws -> (path: String, handle: FileHandle) {
      let path = "\(folder)/\(name).\(suffix)"
      guard FileManager.default.createFile(atPath: path, contents: nil),
        let handle = FileHandle(forWritingAtPath: path)
      else { throw FormatError(path, "cannot be created; free some space for temporary files") }
      return (path, handle)
    }
    let (output, errors) = (try open("out"), try open("err"))
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output.handle
    process.standardError = errors.handle
    let begin = MonotonicClock.seconds
    func seconds() -> Double { MonotonicClock.seconds - begin }
    do {
      try process.run()
    } catch {
      throw FormatError(program, "cannot be started: \(error.localizedDescription)")
    }
    while process.isRunning, seconds() < limit { usleep(20_000) }
    let timedOut = process.isRunning
    if timedOut { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    let text = Self.text(output.path)
    return Result(
      step: self,
      status: process.terminationStatus
        + (process.terminationReason == .uncaughtSignal ? 128 : 0),
      timedOut: timedOut, seconds: seconds(), output: String(text.suffix(Self.keptCharacters)),
      errors: String(Self.text(errors.path).suffix(Self.keptCharacters)),
      value: Self.value(file.map(Self.text) ?? text))
  }

  private static func text(_ path: String) -> String {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// A document, or several lines of one each; null for anything else.
  private static func value(_ text: String) -> JSONValue {
    if let document = try? JSONValue(parsing: text, source: "output") { return document }
    let lines = text.split(separator: "\n").map(String.init)
    let values = lines.compactMap { try? JSONValue(parsing: $0, source: "output") }
    return lines.isEmpty || values.count < lines.count ? .null : .array(values)
  }
}
