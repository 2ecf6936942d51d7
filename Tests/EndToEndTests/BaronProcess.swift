import Formats
import Foundation
import TestSupport
import Testing

/// Runs the built program as a user does.
struct BaronProcess {
  /// What a finished run left.
  struct Result {
    let status: Int32
    let output: String
    let errors: String

    /// Lines of standard error that start with a word.
    func lines(_ start: String) -> [String] {
      errors.split(separator: "\n").map(String.init).filter { $0.hasPrefix(start) }
    }
  }

  /// The program beside the test bundle, or nil when it was not built.
  static let path: String? = {
    let bundle = URL(filePath: CommandLine.arguments.first ?? "").deletingLastPathComponent().path
    let places = [bundle, Bundle.main.bundlePath, Bundle.main.bundlePath + "/.."]
    return places.map { $0 + "/baron" }.first(where: FileManager.default.isExecutableFile(atPath:))
  }()

  static let available = path != nil && Fixture.available && Fixture.dataAvailable
  static let missing = "the program, the fixtures or the test data are missing: set BARON_SHARED"

  private let process = Process()
  private let scratch: Scratch

  /// Starts the program, or another one that may start it, on the CPU.
  init(
    _ arguments: [String], program: String? = nil, environment: [String: String] = [:]
  ) throws {
    scratch = try Scratch()
    process.executableURL = URL(filePath: program ?? Self.path ?? "")
    process.arguments = arguments
    var variables = ProcessInfo.processInfo.environment
    variables["BARON_DEVICE"] = "cpu"
    variables["BARON_SHARED"] = Fixture.sharedFolder
    // What was found for this user's device is none of a test's business.
    if environment["BARON_CACHE"] == nil { variables["BARON_TUNING"] = "off" }
    process.environment = variables.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    // Files, not pipes: a full pipe would stop the program.
    for name in ["out", "err"] {
      FileManager.default.createFile(atPath: "\(scratch.folder)/\(name)", contents: nil)
    }
    process.standardOutput = FileHandle(forWritingAtPath: "\(scratch.folder)/out")
    process.standardError = FileHandle(forWritingAtPath: "\(scratch.folder)/err")
    try process.run()
  }

  var isRunning: Bool { process.isRunning }

  /// Sends a signal.
  func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  /// Waits until a condition holds or the program ends, at most half a minute.
  func wait(until condition: () -> Bool) {
    let deadline = Date(timeIntervalSinceNow: 30)
    while process.isRunning, !condition(), Date() < deadline { usleep(5000) }
  }

  /// What is on standard output so far.
  var outputSoFar: String {
    (try? String(contentsOfFile: "\(scratch.folder)/out", encoding: .utf8)) ?? ""
  }

  /// What is on standard error so far.
  var errorsSoFar: String {
    (try? String(contentsOfFile: "\(scratch.folder)/err", encoding: .utf8)) ?? ""
  }

  /// Waits for the end.
  func finish() throws -> Result {
    process.waitUntilExit()
    func text(_ name: String) throws -> String {
      String(
        decoding: try Data(contentsOf: URL(filePath: "\(scratch.folder)/\(name)")), as: UTF8.self)
    }
    return Result(
      status: process.terminationStatus, output: try text("out"), errors: try text("err"))
  }

  /// Runs the program to its end.
  static func run(
    _ arguments: String..., environment: [String: String] = [:]
  ) throws -> Result {
    try BaronProcess(arguments, environment: environment).finish()
  }
}

/// The lines of a metrics file without what depends on the clock.
func metrics(_ run: String) throws -> [JSONValue] {
  let text = try String(contentsOfFile: "\(run)/metrics.jsonl", encoding: .utf8)
  return try text.split(separator: "\n").map { line in
    let record = try JSONValue(parsing: String(line), source: "metrics.jsonl").object ?? [:]
    let timed = ["images_per_second", "data_wait_share", "seconds", "memory_peak_bytes"]
    return .object(record.filter { !timed.contains($0.key) })
  }
}

/// Fails with status 1 and one line that names the words.
func expectError(
  _ result: BaronProcess.Result, _ words: String..., location: SourceLocation = #_sourceLocation
) {
  #expect(result.status == 1, "\(result.errors)", sourceLocation: location)
  let lines = result.lines("error:")
  #expect(lines.count == 1, "\(result.errors)", sourceLocation: location)
  for word in words {
    #expect(
      lines.first?.contains(word) ?? false, "'\(word)' is not in \(result.errors)",
      sourceLocation: location)
  }
}
