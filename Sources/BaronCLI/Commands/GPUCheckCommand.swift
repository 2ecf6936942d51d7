import ArgumentParser
import Formats
import Foundation
import KernelLibrary
import OpenCL
import Reporting
import Workbench

/// `baron gpu-check`: everything that one wants to know of a new machine, in one file.
struct GPUCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gpu-check",
    abstract: "Run devices, selftest, profile, bench and tune; write all results to one file.",
    discussion: """
      Example: baron gpu-check --json results.json

      Needs no data: pictures are drawn and the teacher is made up. Each command runs in a process \
      of its own; after one that fails the next one runs all the same, and the exit status is 1. \
      The file is complete after each command, and what each one writes as it goes lies in a folder \
      beside it, so that a machine that is taken away leaves what was measured; at the end both \
      are in one archive, with what the driver's compiler said of each program. With --budget the \
      commands share so many seconds, what matters most first. Compiled kernels and the record of \
      'baron tune' stay in the cache.
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
    help: ArgumentHelp("Seconds for everything; default no end.", valueName: "seconds"))
  var budget: Double?

  @Option(
    help: ArgumentHelp(
      "Seconds of search in tune; default 300, 15 with --quick, a tenth of --budget.",
      valueName: "seconds"))
  var search: Double?

  @Option(help: "Lines of another program on the same device, for a table after bench.")
  var compare: String?

  @Option(help: "Cases of bench; default all, some small ones with --quick.")
  var cases: String?

  @Option(
    help: ArgumentHelp("Seconds after which a command is ended.", valueName: "seconds"))
  var limit = 1800.0

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard limit > 0 else { throw ValidationError("--limit \(limit): take more than 0.") }
    for (name, seconds) in [("budget", budget), ("search", search)] {
      guard seconds ?? 1 > 0 else {
        throw ValidationError("--\(name) \(seconds ?? 0): take more than 0.")
      }
    }
  }

  func run() throws {
    let begin = MonotonicClock.seconds
    let folder = try partsFolder()
    let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    var results: [CheckStep.Result] = []
    let steps = steps(in: folder)
    let environment = environment(folder)
    for (index, step) in steps.enumerated() {
      Console.say("\(step.name) …")
      let limit = seconds(
        for: steps[index...], after: MonotonicClock.seconds - begin)
      let result = try step.run(
        program: program, folder: folder, environment: environment, limit: limit)
      results.append(result)
      Console.say(Self.line(result))
      try AtomicFile.write(
        Data(try document(results, program: program).text(pretty: true).utf8), to: json)
    }
    let peer = try? compare.map { try BenchComparison(contentsOf: $0) }
    try Console.print(
      CheckSummary(results, peer: peer ?? nil).table.text(style: .detect(descriptor: 1)),
      terminator: "")
    Console.say("results: \(json), all of it: \(try archive(folder))")
    let failed = results.filter { !$0.isGood }.map(\.step.name)
    guard failed.isEmpty else { throw CheckError(failed: failed, path: json) }
  }

  /// A folder beside the results for what the commands write as they go.
  private func partsFolder() throws -> String {
    let folder = json.hasSuffix(".json") ? "\(json.dropLast(5))-parts" : "\(json)-parts"
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true)
      // Lines of an earlier check would be taken for this one's.
      for step in steps(in: folder) {
        try? FileManager.default.removeItem(atPath: "\(folder)/\(step.name).json")
      }
    } catch {
      throw FormatError(folder, "cannot be created; choose a --json whose folder may be written")
    }
    return folder
  }

  /// What the commands are told beside their arguments: to keep what the compiler says, and on NVIDIA's
  /// driver to have it say registers and spills.
  private func environment(_ folder: String) -> [String: String] {
    let isNVIDIA = (try? device.choose())?.family == .nvidia
    return ["BARON_BUILD_LOGS": "\(folder)/build-logs"].merging(
      isNVIDIA ? ["BARON_BUILD_OPTIONS": "-cl-nv-verbose"] : [:]
    ) { $1 }
  }

  /// Puts results and parts into one file beside the results.
  private func archive(_ folder: String) throws -> String {
    let root = URL(filePath: folder).lastPathComponent
    let files = (FileManager.default.subpaths(atPath: folder) ?? []).sorted().filter {
      var isFolder = ObjCBool(false)
      return FileManager.default.fileExists(atPath: "\(folder)/\($0)", isDirectory: &isFolder)
        && !isFolder.boolValue
    }
    let path = "\(folder.dropLast("-parts".count)).zip"
    try ZipWriter.write(
      [ZipWriter.Part(URL(filePath: json).lastPathComponent, file: json)]
        + files.map { ZipWriter.Part("\(root)/\($0)", file: "\(folder)/\($0)") }, to: path)
    return path
  }

  /// Seconds that the first of the commands left may take: all that is left of the budget but the
  /// shares of those after it.
  private func seconds(for steps: ArraySlice<CheckStep>, after elapsed: Double) -> Double {
    guard let budget, let first = steps.first else { return limit }
    let left = max(1, budget - elapsed)
    let shares = steps.map(\.share).reduce(0, +)
    return min(limit, max(1, left * first.share / max(shares, first.share)))
  }

  /// The commands in their order: what the others rest on first, then what is to be known most, and
  /// what only makes it better last.
  private func steps(in folder: String) -> [CheckStep] {
    let config = config ?? (quick ? "demo-bags" : "ov-coco-fpn-kd")
    let set = overrides.flatMap { ["--set", $0] }
    let drawn =
      ["--drawn"]
      + ((teacher ?? (quick ? "demo-teacher" : nil)).map { ["--teacher", $0] } ?? [])
    let small = quick ? ["--rounds", "1", "--steps", "1", "--classes", "4"] : []
    let search = search ?? budget.map { $0 / 10 } ?? (quick ? 15 : 300)
    func file(_ name: String) -> String { "\(folder)/\(name).json" }
    return [
      CheckStep(name: "devices", arguments: ["devices", "--json"] + flags, share: 0.02),
      CheckStep(name: "selftest", arguments: ["selftest", "--json"] + flags, share: 0.2),
      CheckStep(
        name: "steps",
        arguments: ["profile", config, "--without-events", "--steps", quick ? "2" : "20"]
          + ["--json", file("steps")] + drawn + set + flags, file: file("steps"), share: 0.2),
      CheckStep(
        name: "profile",
        arguments: ["profile", config, "--steps", quick ? "1" : "5"]
          + ["--json", file("profile")] + drawn + set + flags, file: file("profile"), share: 0.3),
    ] + benches(in: folder) + [
      CheckStep(
        name: "tune",
        arguments: ["tune", config, "--budget", "\(search)"]
          + ["--limit", "10", "--json", file("tune")] + drawn + small + set + flags,
        file: file("tune"), share: 0.2)
    ]
  }

  private func benches(in folder: String) -> [CheckStep] {
    let cases = cases ?? (quick ? "gemm/text_*,attention/*text*,roi_align/*" : "*")
    let short = quick ? ["--repeat", "3", "--sample-s", "0.01", "--warmup", "1"] : []
    let peer = compare.map { ["--compare", $0] } ?? []
    func bench(_ name: String, _ arguments: [String]) -> CheckStep {
      let file = "\(folder)/\(name).json"
      return CheckStep(
        name: name,
        arguments: ["bench", "--cases", cases, "--json", file] + arguments + peer + short + flags,
        file: file, share: 0.15)
    }
    // Numbers of 16 bits are what a step runs in.
    let narrow = bench("bench_bfloat16", ["--precision", "bfloat16"])
    return (quick ? [] : [narrow]) + [bench("bench", [])]
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
