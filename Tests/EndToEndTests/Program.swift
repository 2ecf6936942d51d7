import Foundation
import Testing

/// The built program, run as a user runs it.
enum Program {
  /// `$BARON_PROGRAM`, else the program that was built beside these tests.
  static let path: String? = {
    let files = FileManager.default
    let chosen = ProcessInfo.processInfo.environment["BARON_PROGRAM"] ?? ""
    if !chosen.isEmpty { return files.isExecutableFile(atPath: chosen) ? chosen : nil }
    let places = [CommandLine.arguments.first ?? "", Bundle.main.bundlePath].map {
      URL(filePath: $0).resolvingSymlinksInPath()
    }
    return places.flatMap { [$0, $0.deletingLastPathComponent()] }.flatMap { folder in
      ["baron", "BaronCLI"].map { folder.appending(path: $0).path }
    }.first { path in
      var isFolder: ObjCBool = false
      return files.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
        && files.isExecutableFile(atPath: path)
    }
  }()

  /// The folder of shared test data, absolute, as the program runs elsewhere.
  static let shared: String = {
    let chosen = ProcessInfo.processInfo.environment["BARON_SHARED"] ?? ""
    return URL(filePath: chosen.isEmpty ? "../shared" : chosen).standardizedFileURL.path
  }()

  /// The folder of test images and annotations.
  static let data = shared + "/data"

  /// Whether the program and its data are there.
  static let available =
    path != nil && FileManager.default.fileExists(atPath: data + "/README.md")
    && FileManager.default.fileExists(atPath: shared + "/fixtures/clip_tiny/hf/config.json")

  static let missing: Comment =
    "needs the built program (swift build, or BARON_PROGRAM) and the shared data (BARON_SHARED)"

  /// What a run of the program left.
  struct Outcome {
    let status: Int32
    let output: String
    let errors: String

    /// The lines on standard error that start so.
    func lines(_ start: String) -> [String] {
      errors.split(separator: "\n").map(String.init).filter { $0.hasPrefix(start) }
    }
  }

  /// A program that runs, with its output going to files so that no pipe fills up.
  final class Running {
    private let process = Process()
    private let output: String
    private let errors: String

    init(_ arguments: [String], in scratch: Scratch, device: String = "cpu") throws {
      let program = try #require(Program.path)
      let name = UUID().uuidString
      output = scratch.path(name + ".out")
      errors = scratch.path(name + ".err")
      process.executableURL = URL(filePath: program)
      process.arguments = arguments
      process.currentDirectoryURL = URL(filePath: scratch.folder)
      var environment = ProcessInfo.processInfo.environment
      environment["BARON_DEVICE"] = device
      environment["BARON_SHARED"] = Program.shared
      process.environment = environment
      for path in [output, errors] {
        try #require(FileManager.default.createFile(atPath: path, contents: nil))
      }
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = try #require(FileHandle(forWritingAtPath: output))
      process.standardError = try #require(FileHandle(forWritingAtPath: errors))
      try process.run()
    }

    /// Waits until something is there or the program has ended.
    func wait(until isThere: (String) -> Bool) {
      while process.isRunning, !isThere(Self.text(errors)) { usleep(5000) }
    }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Waits for the end.
    func finish() -> Outcome {
      process.waitUntilExit()
      return Outcome(
        status: process.terminationStatus, output: Self.text(output), errors: Self.text(errors))
    }

    private static func text(_ path: String) -> String {
      String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }
  }

  /// Runs the program to its end.
  static func run(_ arguments: [String], in scratch: Scratch, device: String = "cpu") throws
    -> Outcome
  {
    try Running(arguments, in: scratch, device: device).finish()
  }

  /// The arguments of a short training run.
  static func training(_ run: String, _ overrides: [String] = []) -> [String] {
    let settings =
      ["training.iterations=6", "training.checkpoint_every=3", "training.evaluate_every=0"]
      + overrides
    return ["train", "coco-mini", "--run", run] + settings.flatMap { ["--set", $0] }
  }
}

/// Files for one test, removed with it.
final class Scratch {
  let folder: String

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func path(_ name: String) -> String { "\(folder)/\(name)" }

  func write(_ text: String, _ name: String) throws -> String {
    try Data(text.utf8).write(to: URL(filePath: path(name)))
    return path(name)
  }

  func text(_ name: String) throws -> String {
    try String(contentsOfFile: path(name), encoding: .utf8)
  }

  func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(filePath: path(name))) }

  func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }
}

/// Every suite of the program lies in here, so that one run at a time has the machine.
@Suite("Program", .serialized, .enabled(if: Program.available, Program.missing))
struct ProgramTests {}
