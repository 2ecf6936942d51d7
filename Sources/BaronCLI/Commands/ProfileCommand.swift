import ArgumentParser
import Formats
import Foundation
import OpenCL
import Reporting
import Tensors
import Training
import Workbench

/// `baron profile`: where the time and the memory of a training step go.
struct ProfileCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "profile",
    abstract: "Measure training steps: kernels, phases, host, memory; nothing is kept.",
    discussion: """
      Example: baron profile demo-bags --drawn --steps 5 --trace step.json

      The trace opens in https://ui.perfetto.dev and in chrome://tracing. "roof %" compares a \
      kernel with the best that this device reaches in multiply-adds and in copying, measured in \
      the same run; it may pass 100 where operands lie in a cache.

      Before and after a change: baron profile demo-bags --drawn --json old.json
                                 baron profile demo-bags --drawn --json new.json --compare old.json
                                 baron profile --compare old.json --with new.json
      """)

  @Argument(help: "A preset, also one of clip-train, or a YAML file.")
  var config = "demo-bags"

  @Option(help: "Steps that are measured.")
  var steps = 3

  @Option(help: "Steps before, in which kernels are compiled and memory is reserved.")
  var warmup = 2

  @Option(help: ArgumentHelp("Write a timeline.", valueName: "file.json"), completion: .file())
  var trace: String?

  @Option(help: ArgumentHelp("Write all numbers.", valueName: "file.json"), completion: .file())
  var json: String?

  @Option(
    help: ArgumentHelp("Compare with what --json wrote earlier.", valueName: "old.json"),
    completion: .file())
  var compare: String?

  @Option(
    name: .customLong("with"),
    help: ArgumentHelp("Compare this file instead of measuring.", valueName: "new.json"))
  var other: String?

  @Flag(help: "Keep the launches of a kernel apart by phase.")
  var byPhase = false

  @Flag(
    help: "Only the time of a step as a training takes it: no events, which cost time themselves.")
  var withoutEvents = false

  @OptionGroup var inputs: DrawnOption

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @OptionGroup var device: DeviceOption

  func validate() throws {
    try OptionRange.check(
      ("--steps", steps, 1...1_000_000), ("--warmup", warmup, 0...1_000_000))
    guard other == nil || compare != nil else {
      throw ValidationError("--with FILE is compared with --compare FILE: give both.")
    }
    guard !withoutEvents || (trace == nil && compare == nil && !byPhase) else {
      throw ValidationError("--without-events measures nothing for --trace, --compare, --by-phase.")
    }
    guard other == nil || (trace == nil && json == nil) else {
      throw ValidationError("--with measures nothing that --trace or --json could write.")
    }
  }

  func run() throws {
    // A file that is no profile is refused before minutes are spent on measuring.
    let old = try compare.map { try SavedProfile(contentsOf: $0) }
    if let old, let other {
      let new = try SavedProfile(contentsOf: other)
      try Console.print(
        ProfileComparison(old: old, new: new).text(style: .detect(descriptor: 1)), terminator: "")
      return
    }
    // Wrong input is told before the device is asked.
    var training = try StepRunner(config, overrides: overrides)
    let context = try device.makeContext()
    let folder = try TemporaryFolder("profile")
    defer { withExtendedLifetime(folder) {} }
    if inputs.drawn {
      training = try inputs.replace(in: training, folder: folder, context: context)
    }
    if withoutEvents { return try measureSteps(of: training, on: context) }
    let roof = try Roof.measure(on: context)
    let profile = try StepProfile.measure(training, on: context, warmup: warmup, steps: steps)
    try Console.print(
      profile.text(roof: roof, byPhase: byPhase, style: .detect(descriptor: 1)), terminator: "")
    if let trace {
      try ProfileTrace.write(
        to: trace, records: profile.records, hostSpans: profile.hostSpans,
        clockOffset: profile.clockOffset, device: context.device.name)
    }
    let numbers = profile.json(roof: roof, byPhase: byPhase)
    if let json {
      try AtomicFile.write(Data(numbers.text(pretty: true).utf8), to: json)
    }
    if let old {
      let new = try SavedProfile(numbers, source: json ?? "this run")
      try Console.print(
        "\n" + ProfileComparison(old: old, new: new).text(style: .detect(descriptor: 1)),
        terminator: "")
    }
  }

  private func measureSteps(of training: StepRunner, on context: Context) throws {
    let trial = try StepTrial(training, on: context, before: warmup, measured: steps)
    try Console.print(
      """
      \(String(format: "%.4f s a step, mean of %d", trial.seconds, trial.count))
      \(String(format: "%.2f GB", Double(trial.memoryInBytes) / 1e9)) of device memory
      products: \(trial.rungs.joined(separator: " | "))
      """)
    if let json { try AtomicFile.write(Data(trial.json.text(pretty: true).utf8), to: json) }
  }
}
