import ArgumentParser
import Formats
import Foundation
import KernelLibrary
import OpenCL
import Workbench

/// `baron gpu-check`: everything that one wants to know of a new machine, in one file.
struct GPUCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gpu-check",
    abstract: "Run devices, selftest, tune, bench and profile; write all results to one file.",
    discussion: """
      Example: baron gpu-check --json results.json

      Needs no data: pictures are drawn and the teacher is made up. Each command runs in a process \
      of its own; after one that fails the next one runs all the same, and the exit status is 1. \
      The file is complete after each command. Compiled kernels and the record of 'baron tune' \
      stay in the cache.
      """)

  @Option(help: ArgumentHelp("Where the results go.", valueName: "file.json"))
  var json = "gpu-check.json"

  @Flag(help: "Small cases, within a few minutes on a CPU too.")
  var quick = false

  @Option(
    help: ArgumentHelp(
      "What tune and profile train; default ov-coco-fpn-kd, demo-bags with --quick.",
      valueName: "config"), completion: Completions.configurations)
  var config: String?

  @Option(
    help: ArgumentHelp(
      "A configuration of clip-train, for the sizes of the made-up teacher; default ViT-B/32, "
        + "demo-teacher with --quick.", valueName: "config"), completion: Completions.configurations
  )
  var teacher: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @Option(
    help: ArgumentHelp(
      "Seconds of search in tune; default 300, 15 with --quick.", valueName: "seconds"))
  var budget: Double?

  @Option(help: "Cases of bench; default all, some small ones with --quick.")
  var cases: String?

  @Option(
    help: ArgumentHelp("Seconds after which a command is ended.", valueName: "seconds"))
  var limit = 1800.0

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard limit > 0 else { throw ValidationError("--limit \(limit): take more than 0.") }
  }

  func run() throws {
    let folder = try TemporaryFolder("gpu-check")
    defer { withExtendedLifetime(folder) {} }
    let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    var results: [CheckStep.Result] = []
    for step in steps(in: folder.path) {
      Console.say("\(step.name) …")
      let result = try step.run(program: program, folder: folder.path, limit: limit)
      results.append(result)
      Console.say(Self.line(result))
      try AtomicFile.write(
        Data(try document(results, program: program).text(pretty: true).utf8), to: json)
    }
    Console.say("results: \(json)")
    let failed = results.filter { !$0.isGood }.map(\.step.name)
    guard failed.isEmpty else { throw CheckError(failed: failed, path: json) }
  }

  /// The commands in their order: what the others rest on first, what takes long last.
  private func steps(in folder: String) -> [CheckStep] {
    let config = config ?? (quick ? "demo-bags" : "ov-coco-fpn-kd")
    let set = overrides.flatMap { ["--set", $0] }
    let drawn =
      ["--drawn"]
      + ((teacher ?? (quick ? "demo-teacher" : nil)).map { ["--teacher", $0] } ?? [])
    let cases = cases ?? (quick ? "gemm/text_*,attention/*text*,roi_align/*" : "*")
    let small = quick ? ["--rounds", "1", "--steps", "1", "--classes", "4"] : []
    let short = quick ? ["--repeat", "3", "--sample-s", "0.01", "--warmup", "1"] : []
    let numbers = ["tune", "bench", "profile", "bench_bfloat16"].map { "\(folder)/\($0).json" }
    let narrow = CheckStep(
      name: "bench_bfloat16",
      arguments: ["bench", "--precision", "bfloat16", "--cases", cases, "--json", numbers[3]]
        + flags, file: numbers[3])
    return [
      CheckStep(name: "devices", arguments: ["devices", "--json"] + flags),
      CheckStep(name: "selftest", arguments: ["selftest", "--json"] + flags),
      CheckStep(
        name: "tune",
        arguments: ["tune", config, "--budget", "\(budget ?? (quick ? 15 : 300))"]
          + ["--limit", "10", "--json", numbers[0]] + drawn + small + set + flags, file: numbers[0]),
      CheckStep(
        name: "bench",
        arguments: ["bench", "--cases", cases, "--json", numbers[1]] + short + flags,
        file: numbers[1]),
    ] + (quick ? [] : [narrow]) + [
      CheckStep(
        name: "profile",
        arguments: ["profile", config, "--steps", quick ? "1" : "5"]
          + ["--json", numbers[2]] + drawn + set + flags, file: numbers[2])
    ]
  }

  private var flags: [String] {
    (device.device.map { ["--device", $0] } ?? [])
      + (device.exactConvolution ? ["--exact-convolution"] : [])
      + (device.shippedPlans ? ["--shipped-plans"] : [])
  }

  private func document(_ results: [CheckStep.Result], program: String) throws -> JSONValue {
    let chosen = try? device.choose()
    var system = utsname()
    uname(&system)
    let release = withUnsafeBytes(of: &system.release) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    return [
      "format": 1, "time": .string(Date().ISO8601Format()), "system": .string("Linux \(release)"),
      "program_sha256": .string(try SHA256.hexadecimal(ofFile: program)),
      "kernels_sha256": .string(
        try KernelSource.digest(
          of: KernelSource.embedded.keys.filter { $0.hasSuffix(".cl") }.sorted())
      ),
      "device": chosen.map { .string($0.name) } ?? .null,
      "platform": chosen.map { .string($0.platformName) } ?? .null,
      "driver": chosen.map { .string($0.driver) } ?? .null,
      "version": chosen.map { .string($0.version) } ?? .null,
      "quick": .bool(quick),
      "failed": .array(results.filter { !$0.isGood }.map { .string($0.step.name) }),
      "steps": .array(results.map(\.json)),
    ]
  }

  private static func line(_ result: CheckStep.Result) -> String {
    let seconds = String(format: "%.1f s", result.seconds)
    if result.isGood { return "\(result.step.name): ok, \(seconds)" }
    let reason = result.errors.split(separator: "\n").last { $0.hasPrefix("error:") } ?? ""
    let status = result.timedOut ? "ended after \(seconds)" : "exit status \(result.status)"
    return "\(result.step.name): FAILED, \(status) \(reason)"
  }
}

/// Commands that failed in a check.
struct CheckError: Error, CustomStringConvertible {
  let failed: [String]
  let path: String

  var description: String {
    "\(failed.joined(separator: ", ")) failed; \(path) holds what they said"
  }
}
