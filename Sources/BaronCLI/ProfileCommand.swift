import ArgumentParser
import Formats
import Foundation
import OpenCL
import Reporting
import Tensors
import Training

/// `baron profile`: where the time and the memory of a training step go.
struct ProfileCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "profile",
    abstract: "Measure training steps: kernels, phases, host, memory; nothing is kept.",
    discussion: """
      Example: baron profile coco-mini --steps 5 --trace step.json

      The trace opens in https://ui.perfetto.dev and in chrome://tracing. "roof %" compares a \
      kernel with the best that this device reaches in multiply-adds and in copying, measured in \
      the same run; it may pass 100 where operands lie in a cache.
      """)

  @Argument(help: "A preset, also one of clip-train, or a YAML file.")
  var config = "coco-mini"

  @Option(help: "Steps that are measured.")
  var steps = 3

  @Option(help: "Steps before, in which kernels are compiled and memory is reserved.")
  var warmup = 2

  @Option(help: ArgumentHelp("Write a timeline.", valueName: "file.json"))
  var trace: String?

  @Option(help: ArgumentHelp("Write all numbers.", valueName: "file.json"))
  var json: String?

  @Flag(help: "Keep the launches of a kernel apart by phase.")
  var byPhase = false

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard steps > 0 else { throw ValidationError("--steps \(steps): take at least 1.") }
    guard warmup >= 0 else { throw ValidationError("--warmup \(warmup): take at least 0.") }
  }

  func run() throws {
    let context = try device.makeContext()
    let roof = try Roof.measure(on: context)
    let profile: StepProfile
    if Preset.names(of: .clip).contains(config) {
      profile = try StepProfile.measure(
        CLIPTrainingConfiguration.load(config, overrides: overrides), on: context, warmup: warmup,
        steps: steps)
    } else {
      profile = try StepProfile.measure(
        RunConfiguration.load(config, overrides: overrides), on: context, warmup: warmup,
        steps: steps)
    }
    print(profile.text(roof: roof, byPhase: byPhase, style: .detect(descriptor: 1)), terminator: "")
    if let trace {
      try ProfileTrace.write(
        to: trace, records: profile.records, hostSpans: profile.hostSpans,
        clockOffset: profile.clockOffset, device: context.device.name)
    }
    if let json {
      let text = profile.json(roof: roof, byPhase: byPhase).text(pretty: true)
      try AtomicFile.write(Data(text.utf8), to: json)
    }
  }
}
