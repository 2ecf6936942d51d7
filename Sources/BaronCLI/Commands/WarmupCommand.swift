import ArgumentParser
import Formats
import Foundation
import KernelLibrary
import OpenCL
import Reporting
import Training
import Workbench

/// `baron warmup`: compiles a configuration's kernels before they are needed.
struct WarmupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "warmup",
    abstract: "Compile the kernels of a configuration's training step and leave them in the cache.",
    discussion: """
      Example: baron warmup demo-bags

      Runs the step itself twice on drawn pictures of the configured size, in a temporary folder, \
      so no data set is needed. Without the teacher in clip.folder a made-up one takes its place, \
      with the widths of ViT-B/32 or those of --teacher. Where a driver compiles a program once \
      more for the cache, as PoCL does, other processes do that meanwhile.
      """)

  @Argument(
    help: "A preset, also one of clip-train, or a YAML file.",
    completion: Completions.configurations)
  var config: String

  @Option(
    help: ArgumentHelp(
      "What a file is for, when it would do for both.", valueName: "train|clip"))
  var kind: String?

  @Option(
    help: ArgumentHelp(
      "A configuration of clip-train, for the widths of a made-up teacher.", valueName: "config"),
    completion: Completions.configurations)
  var teacher: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @Option(
    help: ArgumentHelp(
      "Processes that compile at the same time; by default one per core, at most 4 on PoCL.",
      valueName: "count"))
  var jobs: Int?

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard jobs ?? 1 > 0 else { throw ValidationError("--jobs must be 1 or more") }
    guard [nil, Preset.Kind.train.rawValue, Preset.Kind.clip.rawValue].contains(kind) else {
      throw ValidationError("--kind takes train or clip")
    }
  }

  func run() throws {
    let sizes = try teacher.map { try CLIPTrainingConfiguration.load($0).model }
    // Wrong input is told before the device is asked.
    let training = try StepRunner(
      config, overrides: overrides, kind: kind.flatMap { Preset.Kind(rawValue: $0) })
    let context = try device.makeContext()
    guard let cache = context.cache else { throw WarmupError.noCache }
    context.compileInParallel(jobs: jobs)

    let begin = MonotonicClock.seconds
    let counts = try Warmup(context: context).run(training, teacher: sizes ?? .init())
    let seconds = MonotonicClock.seconds - begin
    try Console.print(
      "\(counts.compiled + counts.cached, "program"): \(counts.compiled) compiled"
        + (counts.helped > 0 ? " (\(counts.helped) in other processes)" : "")
        + ", \(counts.cached) in the cache already; \(String(format: "%.1f", seconds)) s")
    try Console.print("cache: \(cache.folder)")
  }
}

/// Why nothing can be compiled in advance; the description is one line with the remedy.
enum WarmupError: Error, CustomStringConvertible {
  case noCache

  var description: String {
    switch self {
    case .noCache: "BARON_CACHE=off: there is no cache to fill; unset it or name a folder"
    }
  }
}
